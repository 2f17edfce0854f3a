/* SPDX-License-Identifier: BSD-2-Clause */
/* Sysctls by name: defaults, reading, writing within Linux's ranges. */
/*
 * How it works: one const row for each line of core/sysctl.def says where the value lies in struct
 * sysctls and what it may be. A vector takes as many numbers as are written (Linux leaves the rest).
 */
#include "core/sysctl.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define VEC_MAX 3
#define NAME_MAX_BYTES 96

struct row {
	const char *name;
	uint16_t off;
	uint8_t num; /* numbers; 0: text */
	int64_t min, max;
	int64_t def[VEC_MAX];
	const char *text;
};

static const struct row rows[] = {
#define SYSCTL_INT(field, path, d, lo, hi) \
	{path, offsetof(struct sysctls, field), 1, lo, hi, {d}, NULL},
#define SYSCTL_VEC(field, path, n, a, b, c, lo, hi) \
	{path, offsetof(struct sysctls, field), n, lo, hi, {a, b, c}, NULL},
#define SYSCTL_STR(field, path, d) {path, offsetof(struct sysctls, field), 0, 0, 0, {0}, d},
#include "core/sysctl.def"
#undef SYSCTL_INT
#undef SYSCTL_VEC
#undef SYSCTL_STR
};

static int64_t *row_values(const struct row *r, const struct sysctls *s)
{
	return (int64_t *)((char *)s + r->off);
}

static char *row_text(const struct row *r, const struct sysctls *s)
{
	return (char *)s + r->off;
}

void sysctl_init(struct sysctls *s)
{
	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].num)
			memcpy(row_values(&rows[i], s), rows[i].def, rows[i].num * sizeof(int64_t));
		else
			strcpy(row_text(&rows[i], s), rows[i].text);
	}
}

/* "net/ipv4/x" is the same name; a slash and a dot change places as sysctl(8) has it. */
static const struct row *find_row(const char *name)
{
	char buf[NAME_MAX_BYTES];
	size_t len = strlen(name);

	if (len >= sizeof(buf))
		return NULL;
	memcpy(buf, name, len + 1);
	for (char *p = buf; *p; p++)
		if (*p == '/')
			*p = '.';
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].name, buf))
			return &rows[i];
	return NULL;
}

static int set_text(const struct row *r, struct sysctls *s, const char *value)
{
	size_t len = strlen(value);

	while (len && isspace((unsigned char)value[len - 1]))
		len--;
	if (!len || len >= 16)
		return -EINVAL;
	memset(row_text(r, s), 0, 16);
	memcpy(row_text(r, s), value, len);
	return 0;
}

static int set_numbers(const struct row *r, struct sysctls *s, const char *value)
{
	int64_t v[VEC_MAX];
	unsigned int n = 0;

	while (isspace((unsigned char)*value))
		value++;
	while (*value) {
		char *end;

		if (n == r->num)
			return -EINVAL;
		errno = 0;
		v[n] = strtoll(value, &end, 0);
		if (end == value || errno || v[n] < r->min || v[n] > r->max)
			return -EINVAL;
		if (*end && !isspace((unsigned char)*end))
			return -EINVAL;
		n++;
		for (value = end; isspace((unsigned char)*value); value++)
			;
	}
	if (!n)
		return -EINVAL;
	if (r->off == offsetof(struct sysctls, ip_local_port_range) && (n != 2 || v[0] > v[1]))
		return -EINVAL;
	memcpy(row_values(r, s), v, n * sizeof(v[0]));
	return 0;
}

int sysctl_set(struct sysctls *s, const char *name, const char *value)
{
	const struct row *r = find_row(name);

	if (!r)
		return -ENOENT;
	return r->num ? set_numbers(r, s, value) : set_text(r, s, value);
}

int sysctl_get(const struct sysctls *s, const char *name, char *buf, size_t size)
{
	const struct row *r = find_row(name);
	size_t len = 0;

	if (!r)
		return -ENOENT;
	if (!r->num) {
		int n = snprintf(buf, size, "%s", row_text(r, s));

		return (size_t)n < size ? n : -ENOSPC;
	}
	for (unsigned int i = 0; i < r->num; i++) {
		int n = snprintf(buf + len, size - len, i ? "\t%lld" : "%lld",
				 (long long)row_values(r, s)[i]);

		if ((size_t)n >= size - len)
			return -ENOSPC;
		len += (size_t)n;
	}
	return (int)len;
}

const char *sysctl_name_at(unsigned int idx)
{
	return idx < ARRAY_SIZE(rows) ? rows[idx].name : NULL;
}
