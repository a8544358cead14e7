/* --init: pid 1 that forwards signals to its child, reaps orphans, and ends as its child ended. */
#include "plan.h"
#include <linux/prctl.h>

#define SIGCHLD_NUMBER 17
#define WNOHANG_FLAG 1

void reaper_run(int child)
{
	uint64_t all = ~0ull;
	SYS(prctl, PR_SET_NAME, "bocker-init", 0, 0, 0);
	for (;;) {
		long signal = SYS(rt_sigtimedwait, &all, 0, 0, 8);
		if (signal < 0)
			continue;
		if (signal != SIGCHLD_NUMBER) {
			SYS(kill, child, signal);
			continue;
		}
		int status;
		long pid;
		while ((pid = SYS(wait4, -1, &status, WNOHANG_FLAG, 0)) > 0)
			if (pid == child)
				exit_now(status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff);
	}
}
