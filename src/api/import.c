/* SPDX-License-Identifier: BSD-2-Clause */
/* Bringing in what a program passed: buffers, iovecs, addresses (T03-T05). */
#include "api/api.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/ucopy.h"

int import_ubuf(const void *buf, size_t len, struct iovec *iov, struct iov_iter *ret)
{
	if (len > MAX_RW_COUNT)
		len = MAX_RW_COUNT;
	if (unlikely(!user_range_ok(buf, len)))
		return -EFAULT;
	iov->iov_base = (void *)(uintptr_t)buf;
	iov->iov_len = len;
	*ret = (struct iov_iter){ .iov = iov, .nr = 1, .count = len };
	return 0;
}

/* Cut the total to MAX_RW_COUNT as the kernel does: later vectors get shorter. */
static int check_iovecs(struct iovec *v, size_t n, size_t *ret_total)
{
	size_t total = 0;

	for (size_t i = 0; i < n; i++) {
		if ((ssize_t)v[i].iov_len < 0)
			return -EINVAL;
		if (!user_range_ok(v[i].iov_base, v[i].iov_len))
			return -EFAULT;
		if (v[i].iov_len > MAX_RW_COUNT - total)
			v[i].iov_len = MAX_RW_COUNT - total;
		total += v[i].iov_len;
	}
	*ret_total = total;
	return 0;
}

int import_iovec(const struct iovec *user, size_t n, struct iovec *fast, struct iovec **ret_slow, struct iov_iter *ret)
{
	struct iovec *v = fast, *slow = NULL;
	size_t total;
	int err;

	if (n > IOV_MAX_COUNT)
		return -EINVAL;
	if (n > API_FAST_IOV) {
		v = slow = malloc(n * sizeof(*v));
		if (!slow)
			return -ENOMEM;
	}
	err = ucopy_from_user(v, user, n * sizeof(*v)) ? -EFAULT : check_iovecs(v, n, &total);
	if (err) {
		free(slow);
		return err;
	}
	*ret_slow = slow;
	*ret = (struct iov_iter){ .iov = v, .nr = (uint32_t)n, .count = total };
	return 0;
}

int copy_name_in(const struct sockaddr *user, socklen_t len, struct sockaddr_storage *ret)
{
	if ((int)len < 0 || len > sizeof(*ret))
		return -EINVAL;
	if (!len) {
		ret->ss_family = AF_UNSPEC;
		return 0;
	}
	return ucopy_from_user(ret, user, len) ? -EFAULT : 0;
}

int copy_name_out(const struct sockaddr_storage *ss, socklen_t len, struct sockaddr *user, socklen_t *user_len)
{
	socklen_t room;

	if (!user)
		return 0;
	if (ucopy_from_user(&room, user_len, sizeof(room)))
		return -EFAULT;
	if ((int)room < 0)
		return -EINVAL;
	if (ucopy_to_user(user, ss, room < len ? room : len))
		return -EFAULT;
	return ucopy_to_user(user_len, &len, sizeof(len)) ? -EFAULT : 0;
}
