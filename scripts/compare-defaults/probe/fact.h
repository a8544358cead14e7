/* One fact a line: group, key and value, separated by tabs. */
#pragma once
#include <stddef.h>
#include <sys/stat.h>

/* Prints a fact; the value is made as by printf. What would break the line is escaped. */
__attribute__((format(printf, 3, 4))) void fact(const char *group, const char *key, const char *format, ...);

/* The file's text without its last newline, in a static buffer; the error's name where it cannot be read. */
const char *text_of(const char *path);

/* "EPERM"; "0" where there was no error. */
const char *error_name(int error);

/* "chr 1:3 0666 0:0": kind, device number, mode and owner. */
const char *describe(const struct stat *stat);

/* Calls `visit` with every name of a directory but "." and "..", sorted. */
void each_name(const char *directory, void (*visit)(const char *directory, const char *name));

void process_facts(char **host_namespaces);
void file_facts(void);
void kernel_facts(void);
void call_facts(void);
