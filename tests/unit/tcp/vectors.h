/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the recorded vectors of tests/vectors: remark lines, one line of column names, integers. */
#ifndef NARU_TESTS_UNIT_TCP_VECTORS_H
#define NARU_TESTS_UNIT_TCP_VECTORS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTOR_ROWS_MAX 400
#define VECTOR_COLS_MAX 16

struct vector {
	int num_rows, num_cols;
	char name[VECTOR_COLS_MAX][24];
	int64_t v[VECTOR_ROWS_MAX][VECTOR_COLS_MAX]; /* "-": INT64_MIN; "a:b": b - a */
	int64_t phase_us, matched, compared;         /* from the remarks; 0 absent */
};

#define VECTOR_NONE INT64_MIN

static inline void vector_remark(struct vector *t, const char *line)
{
	const char *p = strstr(line, "matches "), *q = strstr(line, "phase ");
	int64_t a, b;

	if (p && sscanf(p, "matches %ld of %ld", &a, &b) == 2) {
		t->matched = a;
		t->compared = b;
	}
	if (q)
		t->phase_us = atol(q + 6);
}

static inline int64_t vector_cell(const char *s)
{
	const char *colon = strchr(s, ':');

	if (!strcmp(s, "-"))
		return VECTOR_NONE;
	return colon ? atol(colon + 1) - atol(s) : atol(s);
}

static inline void vector_line(struct vector *t, char *line)
{
	bool is_head = !t->num_cols;
	char *save = NULL;
	int c = 0;

	for (char *w = strtok_r(line, "\t\n", &save); w && c < VECTOR_COLS_MAX;
	     w = strtok_r(NULL, "\t\n", &save), c++) {
		if (is_head)
			snprintf(t->name[c], sizeof(t->name[c]), "%s", w);
		else
			t->v[t->num_rows][c] = vector_cell(w);
	}
	if (is_head)
		t->num_cols = c;
	else if (c)
		t->num_rows++;
}

/* Beside the sources as they were named to the compiler, below the present folder, or where
 * NARU_TEST_VECTORS says. NULL: nowhere. */
static inline FILE *vector_open(const char *file)
{
	char here[480], path[600];
	const char *env = getenv("NARU_TEST_VECTORS");
	const char *dirs[] = {env ? env : ".", here, "tests/vectors", "../tests/vectors"};
	FILE *f = NULL;

	snprintf(here, sizeof(here), "%s", __FILE__);
	if (strrchr(here, '/'))
		strcpy(strrchr(here, '/'), "/../../vectors");
	for (int i = 0; i < 4 && !f; i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], file);
		f = fopen(path, "r");
	}
	return f;
}

/* NULL: the file is not there. Caller frees. */
static inline struct vector *vector_load(const char *file)
{
	struct vector *t = calloc(1, sizeof(*t));
	FILE *f = vector_open(file);
	char line[1024];

	if (!f || !t) {
		free(t);
		return NULL;
	}
	while (fgets(line, sizeof(line), f) && t->num_rows < VECTOR_ROWS_MAX) {
		if (line[0] == '#')
			vector_remark(t, line);
		else
			vector_line(t, line);
	}
	fclose(f);
	return t;
}

static inline int64_t vector_at(const struct vector *t, int row, const char *col)
{
	for (int c = 0; c < t->num_cols; c++)
		if (!strcmp(t->name[c], col))
			return t->v[row][c];
	return VECTOR_NONE;
}

#endif
