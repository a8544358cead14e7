/* What others find of a running container in its run directory: who it is, and where to attach. */
#include "monitor.h"

#define AF_UNIX 1
#define SOCK_SEQPACKET_CLOEXEC (5 | 02000000)

static long start_time(long pid, char *buffer, size_t size)
{
	char path[32];
	struct text t = {path, sizeof(path), 0, 0};
	text_add(&t, "/proc/");
	text_add_number(&t, (unsigned long)pid);
	text_add(&t, "/stat");
	long n = read_small_file(path, buffer, size);
	/* Field 22; the name in field 2 may contain anything, so count from the last ')'. */
	long at = n;
	while (at > 0 && buffer[at] != ')')
		at--;
	long value = 0;
	for (int field = 2; at < n && field < 22; at++)
		field += buffer[at] == ' ';
	while (at < n && buffer[at] >= '0' && buffer[at] <= '9')
		value = value * 10 + (buffer[at++] - '0');
	return value;
}

void state_prepare(int directory, long pid)
{
	char buffer[1024], content[256];
	struct text t = {content, sizeof(content), 0, 0};
	long self = SYS(getpid);
	text_add(&t, "{\"pid\":");
	text_add_number(&t, (unsigned long)pid);
	text_add(&t, ",\"pidStart\":");
	text_add_number(&t, (unsigned long)start_time(pid, buffer, sizeof(buffer)));
	text_add(&t, ",\"monitor\":");
	text_add_number(&t, (unsigned long)self);
	text_add(&t, ",\"monitorStart\":");
	text_add_number(&t, (unsigned long)start_time(self, buffer, sizeof(buffer)));
	text_add(&t, ",\"started\":\"");
	text_add_time(&t, now_ns(0));
	text_add(&t, "\"}\n");
	int fd = open_at(directory, "state.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	if (fd < 0 || write_all(fd, content, t.length) < 0)
		return;
	close_fd(fd);
}

void state_publish(int directory)
{
	SYS(renameat2, directory, "state.tmp", directory, "state", 0);
}

/* The socket's address goes through the directory's descriptor: sun_path holds 108 bytes only. */
int state_listen(int directory)
{
	struct { uint16_t family; char path[108]; } address = {AF_UNIX, {0}};
	struct text t = {address.path, sizeof(address.path), 0, 0};
	text_add(&t, "/proc/self/fd/");
	text_add_number(&t, (unsigned long)directory);
	text_add(&t, "/attach");
	SYS(unlinkat, directory, "attach", 0);
	int fd = (int)SYS(socket, AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0);
	SYS(umask, 0177);
	long e = SYS(bind, fd, &address, sizeof(address));
	SYS(umask, 022);
	if (e >= 0)
		e = SYS(listen, fd, 16);
	if (e >= 0)
		return fd;
	close_fd(fd);
	return (int)e;
}
