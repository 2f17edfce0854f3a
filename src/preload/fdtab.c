/* SPDX-License-Identifier: BSD-2-Clause */
/* The process's descriptors: which of them are sockets of Naru's, and how they are shared and closed. */
/*
 * How it works
 *
 * Each socket of the program is a real descriptor, a placeholder. While only this process can have it, the
 * placeholder is a duplicate of one socket kept for the purpose: cheap, and close() here is the end of the
 * file. Before anything that may give others a copy (fork, exec, spawn, SCM_RIGHTS) the file is shared: a
 * socketpair takes the duplicate's place, its inode number is the file's name for everybody, and its far end
 * goes to the supervisor, which sees a hang-up when the last copy anywhere is closed, and ends the file.
 *
 * 1. Entries change under shim.lock; kind is written last when an entry is made and first when it is cleared.
 * 2. A reader takes a reference, then looks again whether the entry still names the file.
 * 3. file->is_registered: 0 this process's alone, 1 watched by the supervisor, 2 watched, and a program has
 *    closed a descriptor of it (so its end is not an accident).
 */
#include "preload/shim.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/proc.h"

enum { FILE_PRIVATE = 0, FILE_WATCHED = 1, FILE_CLOSED_BY_PROGRAM = 2 };

static struct pool *file_pool(void) { return &shim.stack->pools->file; }

static void tab_lock(void) { pthread_mutex_lock(&shim.lock); }
static void tab_unlock(void) { pthread_mutex_unlock(&shim.lock); }

struct file *fd_get_slow(struct fd_entry *e)
{
	uint32_t gen = atomic_load(&e->gen), refs;
	struct file *f = atomic_load(&e->obj);

	if (!f)
		return NULL;
	refs = atomic_load_explicit(&f->refs, memory_order_relaxed);
	do {
		if (!refs)
			return NULL;
	} while (!atomic_compare_exchange_weak(&f->refs, &refs, refs + 1));
	if (likely(f->obj.gen == gen && atomic_load(&e->obj) == f && f->is_open))
		return f;
	file_put(f);
	return NULL;
}

/* ---- entries; lock held ---- */

static void set_entry(int fd, enum fd_kind kind, void *obj, uint32_t gen)
{
	struct fd_entry *e = fd_entry(fd);

	if (!e)
		return;
	e->has_dups = false;
	atomic_store(&e->gen, gen);
	atomic_store(&e->obj, obj);
	atomic_store(&e->kind, (uint8_t)kind);
	if (fd > atomic_load(&shim.max_fd))
		atomic_store(&shim.max_fd, fd);
}

static void clear_entry(int fd)
{
	struct fd_entry *e = fd_entry(fd);

	atomic_store(&e->kind, FD_KERNEL);
	atomic_store(&e->obj, NULL);
}

/* Any descriptor of this process that names @obj. */
static int find_fd(const void *obj, int from)
{
	for (int fd = from; fd <= atomic_load(&shim.max_fd); fd++)
		if (shim.tab[fd].obj == obj && shim.tab[fd].kind != FD_KERNEL)
			return fd;
	return -1;
}

/* ---- placeholders ---- */

static int make_base(void)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return -errno;
	shim.fd_base_peer = shim_own_fd(sv[1]);
	shim.fd_base = shim_own_fd(sv[0]);
	return shim.fd_base;
}

int fd_placeholder(int flags)
{
	int fd = shim.fd_base, cmd = flags & SOCK_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD;

	if (fd < 0) {
		tab_lock();
		fd = shim.fd_base < 0 ? make_base() : shim.fd_base;
		tab_unlock();
		if (fd < 0)
			return fd;
	}
	fd = REAL(fcntl)(fd, cmd, 0);
	return fd < 0 ? -errno : fd;
}

void fd_install(int fd, struct file *f)
{
	tab_lock();
	set_entry(fd, FD_NARU, f, f->obj.gen);
	tab_unlock();
}

/* Put the near end in the place of every descriptor of @f. Lock held. */
static void put_in_place(const struct file *f, int near)
{
	for (int fd = find_fd(f, 0); fd >= 0; fd = find_fd(f, fd + 1)) {
		int flags = REAL(fcntl)(fd, F_GETFD);

		REAL(dup3)(near, fd, flags >= 0 && (flags & FD_CLOEXEC) ? O_CLOEXEC : 0);
	}
}

/* Lock held. Without descriptors for a pair the file stays this process's: others lose it when we end. */
static void share_file(struct file *f)
{
	struct stat st;
	int sv[2];

	if (f->is_registered != FILE_PRIVATE || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return;
	if (!fstat(sv[0], &st)) {
		f->kernel_ino = st.st_ino;
		f->is_registered = FILE_WATCHED;
		if (shim_tell(TREE_WATCH_FILE, pool_handle(file_pool(), f), sv[1]))
			f->is_registered = FILE_PRIVATE;
		else
			put_in_place(f, sv[0]);
	}
	REAL(close)(sv[0]);
	REAL(close)(sv[1]);
}

void fd_share(int fd)
{
	struct fd_entry *e = fd_entry(fd);

	if (fd_kind(fd) != FD_NARU)
		return;
	tab_lock();
	if (e->kind == FD_NARU)
		share_file(e->obj);
	tab_unlock();
}

void fd_share_all(bool inherited)
{
	for (int fd = 0; fd <= atomic_load(&shim.max_fd); fd++) {
		if (fd_kind(fd) != FD_NARU)
			continue;
		if (!inherited || !(REAL(fcntl)(fd, F_GETFD) & FD_CLOEXEC))
			fd_share(fd);
	}
}

/* ---- closing and copying ---- */

/* Forget @fd. *ret: the file to end here and now, or NULL. Lock held. */
static void forget(int fd, struct file **ret, struct shim_ep **ret_ep)
{
	struct fd_entry *e = fd_entry(fd);
	bool has_dups = e->has_dups;
	enum fd_kind kind = e->kind;
	void *obj = e->obj;
	uint32_t gen = e->gen;

	clear_entry(fd);
	if (kind == FD_EPOLL) {
		*ret_ep = obj;
	} else if (kind == FD_NARU) {
		struct file *f = obj;

		if (f->obj.gen != gen)
			return;
		if (f->is_registered)
			f->is_registered = FILE_CLOSED_BY_PROGRAM;
		else if (!has_dups || find_fd(f, 0) < 0)
			*ret = f;
	}
}

int fd_close(int fd)
{
	struct file *f = NULL;
	struct shim_ep *ep = NULL;
	int err;

	tab_lock();
	if (fd_kind(fd) == FD_OWN) {
		tab_unlock();
		errno = EBADF; /* the program never opened it */
		return -1;
	}
	if (fd_kind(fd) != FD_KERNEL)
		forget(fd, &f, &ep);
	err = REAL(close)(fd);
	tab_unlock();
	if (f)
		tree_close_file(f);
	if (ep)
		ep_put(ep);
	return err;
}

static void copy_entry(int from, int to)
{
	struct fd_entry *e = fd_entry(from);

	if (!e || e->kind == FD_KERNEL || e->kind == FD_OWN || !fd_entry(to))
		return;
	if (e->kind == FD_EPOLL)
		ep_get_ref(e->obj);
	set_entry(to, e->kind, e->obj, e->gen);
	e->has_dups = fd_entry(to)->has_dups = true;
}

void fd_copy(int from, int to)
{
	tab_lock();
	copy_entry(from, to);
	tab_unlock();
}

int fd_replace(int from, int to, int flags)
{
	struct file *f = NULL;
	struct shim_ep *ep = NULL;
	int ret;

	tab_lock();
	ret = flags < 0 ? REAL(dup2)(from, to) : REAL(dup3)(from, to, flags);
	if (ret >= 0 && from != to) {
		if (fd_entry(to) && shim.tab[to].kind != FD_KERNEL)
			forget(to, &f, &ep);
		copy_entry(from, to);
		if (f && find_fd(f, 0) >= 0)
			f = NULL; /* a duplicate of itself */
	}
	tab_unlock();
	if (f)
		tree_close_file(f);
	if (ep)
		ep_put(ep);
	return ret;
}

/* ---- descriptors that come from elsewhere ---- */

static struct file *find_inode(uint64_t ino)
{
	uint32_t idx = 0;
	struct file *f;

	while ((f = pool_next_live(file_pool(), &idx)))
		if (f->is_registered && f->is_open && f->kernel_ino == ino && f->stack == shim.stack)
			return f;
	return NULL;
}

bool fd_adopt(int fd)
{
	struct stat st;
	struct file *f;

	if (!fd_entry(fd) || fd_kind(fd) != FD_KERNEL || fstat(fd, &st) || !S_ISSOCK(st.st_mode))
		return false;
	f = find_inode(st.st_ino);
	if (!f)
		return false;
	tab_lock();
	set_entry(fd, FD_NARU, f, f->obj.gen);
	tab_unlock();
	return true;
}

void fd_adopt_all(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	if (!d) {
		for (int fd = 0; fd < TREE_FD_MIN; fd++)
			fd_adopt(fd);
		return;
	}
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			fd_adopt(atoi(e->d_name));
	closedir(d);
}

void fd_close_lost(void)
{
	uint32_t idx = 0;
	struct file *f;

	while ((f = pool_next_live(file_pool(), &idx)))
		if (f->owner_proc == proc_slot() && !f->is_registered && f->is_open)
			tree_drop_file(f, false);
}
