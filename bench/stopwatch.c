/*
 * Times command lines, one after the other, round after round, so that whatever else the machine does meets all of
 * them alike. Standard output: for each command a line of nanoseconds, one number a round, after its last exit status.
 *
 *   stopwatch ROUNDS PAUSE_US COMMAND... [--- COMMAND...]...
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX 64

static long long now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000000000LL + at.tv_nsec;
}

int main(int count, char **words)
{
	if (count < 4)
		return 2;
	int rounds = atoi(words[1]), commands = 1;
	char **command[MAX] = {words + 3};
	int status[MAX] = {0};

	for (int i = 3; i < count; i++)
		if (strcmp(words[i], "---") == 0 && commands < MAX) {
			words[i] = NULL;
			command[commands++] = words + i + 1;
		}
	long long *took = calloc((size_t)rounds * commands, sizeof *took);
	posix_spawn_file_actions_t actions;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	/* The first round warms up and does not count. */
	for (int round = -1; round < rounds; round++)
		for (int i = 0; i < commands; i++) {
			/* Another first one each round: nobody always comes after the same neighbour. */
			int which = (i + (round < 0 ? 0 : round)) % commands;
			pid_t child;
			int ended;
			long long from = now();

			if (posix_spawnp(&child, command[which][0], &actions, NULL, command[which], environ) != 0)
				return 3;
			waitpid(child, &ended, 0);
			if (round >= 0)
				took[(size_t)which * rounds + round] = now() - from;
			if (ended != 0)
				status[which] = ended;
			usleep(atoi(words[2]));
		}
	for (int i = 0; i < commands; i++) {
		printf("%d", status[i]);
		for (int round = 0; round < rounds; round++)
			printf(" %lld", took[(size_t)i * rounds + round]);
		printf("\n");
	}
	return 0;
}
