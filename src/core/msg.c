/* SPDX-License-Identifier: BSD-2-Clause */
/* Cursor over a program's memory, and control messages on the way out. */
/*
 * How it works: a copy walks the iovecs without moving the cursor and moves it only when every byte
 * came through, so a fault leaves the message where it was (T26.6).
 */
#include "core/msg.h"

#include <errno.h>
#include <string.h>

#include "base/ucopy.h"

static size_t copy_piece(const struct iov_iter *it, void *user, void *ours, size_t n, bool is_out)
{
	if (it->is_kernel) {
		if (is_out)
			memcpy(user, ours, n);
		else
			memcpy(ours, user, n);
		return 0;
	}
	return is_out ? ucopy_to_user(user, ours, n) : ucopy_from_user(ours, user, n);
}

static int iter_copy(struct iov_iter *it, void *ours, size_t len, bool is_out)
{
	const struct iovec *v = it->iov;
	size_t left = len, off = it->off;
	uint8_t *p = ours;

	if (len > it->count)
		return -EFAULT;
	for (uint32_t i = 0; left && i < it->nr; i++, off = 0) {
		size_t n = v[i].iov_len - off;

		n = n < left ? n : left;
		if (n && copy_piece(it, (uint8_t *)v[i].iov_base + off, p, n, is_out))
			return -EFAULT;
		p += n;
		left -= n;
	}
	if (left)
		return -EFAULT;
	iter_advance(it, len);
	return 0;
}

int iter_copy_from(struct iov_iter *it, void *dst, size_t len)
{
	return iter_copy(it, dst, len, false);
}

int iter_copy_to(struct iov_iter *it, const void *src, size_t len)
{
	return iter_copy(it, (void *)src, len, true);
}

void iter_advance(struct iov_iter *it, size_t n)
{
	n = n < it->count ? n : it->count;
	it->count -= n;
	while (it->nr) {
		size_t left = it->iov->iov_len - it->off;

		if (n < left) {
			it->off += n;
			return;
		}
		n -= left;
		it->iov++;
		it->nr--;
		it->off = 0;
	}
}

void cmsg_put(struct msg *m, int level, int type, const void *data, size_t len)
{
	size_t room = m->controllen - m->control_used;
	size_t need = CMSG_LEN(len);
	struct cmsghdr h = {.cmsg_len = need, .cmsg_level = level, .cmsg_type = type};
	uint8_t *p = (uint8_t *)m->control + m->control_used;

	if (!m->control || room < sizeof(h)) {
		m->out_flags |= MSG_CTRUNC;
		return;
	}
	if (need > room) { /* cut: the header tells what is there */
		m->out_flags |= MSG_CTRUNC;
		h.cmsg_len = need = room;
	}
	memcpy(p, &h, sizeof(h));
	memcpy(p + CMSG_LEN(0), data, need - CMSG_LEN(0));
	/* The next header is aligned; at the end of the buffer there may be no room for the padding. */
	need = CMSG_ALIGN(need);
	m->control_used += need < room ? need : room;
}
