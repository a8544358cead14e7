/*
 * Many small new files at a time, in a thread of their own.
 *
 * A batch is a piece of memory full of records, each a file, a directory or a symlink that is to be made below a
 * directory: src/os/new-files.ts writes them. They are made in order, up to the first that cannot be made by the plain
 * calls, whatever the reason: the caller is told where that was, and nothing behind it has been touched.
 */
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FUNCTION(name) static napi_value name(napi_env env, napi_callback_info info)
#define THREADS_MAX 64
#define STACK_SIZE (128 << 10)

enum kind { NEW_FILE, NEW_DIRECTORY, NEW_SYMLINK };

/* The path of the directory it is in, its name, and its bytes or its target follow, each with a NUL behind it. */
struct record {
	uint32_t size; /* of all of it; a multiple of 8 */
	uint16_t parent_length;
	uint16_t name_length;
	uint32_t kind;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	int64_t seconds;
	uint32_t nanoseconds;
	uint32_t data_length;
	/* Out: of a directory. */
	uint64_t device;
	uint64_t inode;
};

struct batch {
	int root;
	uint8_t *memory;
	size_t at;
	size_t end;
};

/* The directory of the last record, which the next one is mostly in, too. */
struct parent {
	const char *path;
	int fd;
};

static int open_parent(int root, struct parent *parent, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	if (parent->fd >= 0 && strcmp(parent->path, path) == 0)
		return parent->fd;
	if (parent->fd >= 0)
		close(parent->fd);
	parent->path = path;
	parent->fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
	return parent->fd;
}

static bool write_all(int fd, const uint8_t *data, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, data, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		data += written;
		length -= (size_t)written;
	}
	return true;
}

/* Bits that a file may have from its birth, before it is its owner's and whole. */
#define PLAIN_MODE 0777

/*
 * In the order of file-metadata.ts: chown clears setuid bits. Most files are root's and have a mode that the umask
 * leaves alone, so that they are born right: looking is several times cheaper than a change, which a journal is told.
 */
static bool describe(int fd, const struct record *record, struct stat *status)
{
	if (fstat(fd, status) < 0)
		return false;
	bool is_owned = status->st_uid == record->uid && status->st_gid == record->gid;

	if (!is_owned && fchown(fd, record->uid, record->gid) < 0)
		return false;
	return (status->st_mode & ALLPERMS) == record->mode || fchmod(fd, record->mode) == 0;
}

static void times_of(const struct record *record, struct timespec times[2])
{
	times[0].tv_sec = record->seconds;
	times[0].tv_nsec = record->nanoseconds;
	times[1] = times[0];
}

static bool make_file(int dirfd, const char *name, const struct record *record, const uint8_t *data)
{
	struct timespec times[2];
	struct stat status;
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			record->mode & PLAIN_MODE);

	if (fd < 0)
		return false;
	times_of(record, times);
	bool made = write_all(fd, data, record->data_length) && describe(fd, record, &status) &&
		    futimens(fd, times) == 0;

	return close(fd) == 0 && made;
}

static bool make_directory(int dirfd, const char *name, struct record *record)
{
	struct stat status;

	if (mkdirat(dirfd, name, record->mode & PLAIN_MODE) < 0)
		return false;
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return false;
	/* Its times are set when nothing more comes into it. */
	bool made = describe(fd, record, &status);

	if (made) {
		record->device = status.st_dev;
		record->inode = status.st_ino;
	}
	return close(fd) == 0 && made;
}

static bool make_symlink(int dirfd, const char *name, const struct record *record, const char *target)
{
	struct timespec times[2];

	times_of(record, times);
	return symlinkat(target, dirfd, name) == 0 &&
	       fchownat(dirfd, name, record->uid, record->gid, AT_SYMLINK_NOFOLLOW) == 0 &&
	       utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A path that is what its length says: one with a NUL in it would name something else. */
static bool is_whole(const char *path, size_t length)
{
	return memchr(path, '\0', length) == NULL && path[length] == '\0';
}

static bool make(int root, struct parent *parent, struct record *record)
{
	const char *path = (const char *)(record + 1);
	const char *name = path + record->parent_length + 1;
	const char *data = name + record->name_length + 1;

	if (!is_whole(path, record->parent_length) || !is_whole(name, record->name_length))
		return false;
	int dirfd = open_parent(root, parent, path);

	if (dirfd < 0)
		return false;
	switch (record->kind) {
	case NEW_FILE:
		return make_file(dirfd, name, record, (const uint8_t *)data);
	case NEW_DIRECTORY:
		return make_directory(dirfd, name, record);
	case NEW_SYMLINK:
		return is_whole(data, record->data_length) && make_symlink(dirfd, name, record, data);
	default:
		return false;
	}
}

/* Whether the record and its parts lie within what is left of the memory. */
static bool is_inside(const struct record *record, size_t left)
{
	return left >= sizeof *record && record->size <= left && record->size % 8 == 0 &&
	       sizeof *record + record->parent_length + record->name_length + (size_t)record->data_length + 3 <=
		       record->size;
}

/* Moves batch->at to the record that was not made, or to the end. */
static void make_batch(struct batch *batch)
{
	struct parent parent = {.fd = -1};

	while (batch->at < batch->end) {
		struct record *record = (struct record *)(batch->memory + batch->at);

		if (!is_inside(record, batch->end - batch->at) || !make(batch->root, &parent, record))
			break;
		batch->at += record->size;
	}
	if (parent.fd >= 0)
		close(parent.fd);
}

struct thread {
	pthread_t id;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct batch batch;
	bool is_busy;
	bool is_over;
};

static struct thread *threads[THREADS_MAX];
static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *argument)
{
	struct thread *thread = argument;

	pthread_mutex_lock(&thread->lock);
	for (;;) {
		while (!thread->is_busy && !thread->is_over)
			pthread_cond_wait(&thread->changed, &thread->lock);
		if (!thread->is_busy)
			break;
		pthread_mutex_unlock(&thread->lock);
		make_batch(&thread->batch);
		pthread_mutex_lock(&thread->lock);
		thread->is_busy = false;
		pthread_cond_broadcast(&thread->changed);
	}
	pthread_mutex_unlock(&thread->lock);
	return NULL;
}

/* Signals are for the threads that know what to do with them. */
static int create(struct thread *thread)
{
	pthread_attr_t attributes;
	sigset_t all, before;

	pthread_mutex_init(&thread->lock, NULL);
	pthread_cond_init(&thread->changed, NULL);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&thread->id, &attributes, work, thread);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return error;
}

static int start_thread(void)
{
	int number = 0;
	int error = EMFILE;

	pthread_mutex_lock(&threads_lock);
	while (number < THREADS_MAX && threads[number] != NULL)
		number++;
	if (number < THREADS_MAX) {
		struct thread *thread = calloc(1, sizeof *thread);

		error = thread == NULL ? ENOMEM : create(thread);
		if (error == 0)
			threads[number] = thread;
		else
			free(thread);
	}
	pthread_mutex_unlock(&threads_lock);
	errno = error;
	return error == 0 ? number : -1;
}

static struct thread *thread_of(struct call *call, int64_t number)
{
	if (number >= 0 && number < THREADS_MAX && threads[number] != NULL)
		return threads[number];
	call->error = EBADF;
	return NULL;
}

FUNCTION(js_files_thread)
{
	ENTER(0);

	RUN(start_thread());
}

static void wait_for(struct thread *thread)
{
	while (thread->is_busy)
		pthread_cond_wait(&thread->changed, &thread->lock);
}

static int64_t begin(struct thread *thread, struct batch batch)
{
	pthread_mutex_lock(&thread->lock);
	wait_for(thread);
	thread->batch = batch;
	thread->is_busy = true;
	pthread_cond_broadcast(&thread->changed);
	pthread_mutex_unlock(&thread->lock);
	return 0;
}

FUNCTION(js_files_begin)
{
	ENTER(5);
	struct thread *thread = thread_of(&call, take_integer(&call, 0));
	int root = (int)take_integer(&call, 1);
	struct bytes bytes = take_slice(&call, 2);

	RUN(begin(thread, (struct batch){.root = root, .memory = bytes.data, .end = bytes.length}));
}

static int64_t end(struct thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	wait_for(thread);
	size_t at = thread->batch.at;

	pthread_mutex_unlock(&thread->lock);
	return (int64_t)at;
}

FUNCTION(js_files_wait)
{
	ENTER(1);
	struct thread *thread = thread_of(&call, take_integer(&call, 0));

	RUN(end(thread));
}

static int64_t stop(struct thread *thread, int64_t number)
{
	pthread_mutex_lock(&thread->lock);
	thread->is_over = true;
	pthread_cond_broadcast(&thread->changed);
	pthread_mutex_unlock(&thread->lock);
	pthread_join(thread->id, NULL);
	pthread_mutex_destroy(&thread->lock);
	pthread_cond_destroy(&thread->changed);
	pthread_mutex_lock(&threads_lock);
	threads[number] = NULL;
	pthread_mutex_unlock(&threads_lock);
	free(thread);
	return 0;
}

FUNCTION(js_files_stop)
{
	ENTER(1);
	int64_t number = take_integer(&call, 0);
	struct thread *thread = thread_of(&call, number);

	RUN(stop(thread, number));
}

static int64_t make_now(struct batch batch)
{
	make_batch(&batch);
	return (int64_t)batch.at;
}

FUNCTION(js_files_make)
{
	ENTER(4);
	int root = (int)take_integer(&call, 0);
	struct bytes bytes = take_slice(&call, 1);

	RUN(make_now((struct batch){.root = root, .memory = bytes.data, .end = bytes.length}));
}

const struct function new_file_functions[] = {
	{"filesThread", js_files_thread},
	{"filesBegin", js_files_begin},
	{"filesWait", js_files_wait},
	{"filesStop", js_files_stop},
	{"filesMake", js_files_make},
	{NULL, NULL},
};
