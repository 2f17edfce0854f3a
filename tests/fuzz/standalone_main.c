/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs a fuzz target over every file of its corpus, without libFuzzer. */
/*
 * How it works: the arguments are files or folders; each regular file is read whole into a heap
 * block of exactly its size, so that a read past the end is seen by ASan and valgrind, and is
 * given to the target once. The empty input is always tried first. Folders are not descended into.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { EXIT_SKIP = 77 };

static int run_file(const char *path, size_t len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	size_t got;

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	data = malloc(len ? len : 1);
	if (!data) {
		fprintf(stderr, "%s: %zu bytes do not fit into memory\n", path, len);
		fclose(f);
		return -1;
	}
	got = fread(data, 1, len, f);
	fclose(f);
	if (got != len) {
		fprintf(stderr, "%s: read %zu of %zu bytes\n", path, got, len);
		free(data);
		return -1;
	}
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	return 1;
}

/* Return: files run, or -1 after a message. */
static int run_path(const char *path, int is_top)
{
	char child[PATH_MAX];
	struct stat st;
	struct dirent *de;
	int n_run = 0, rc;
	DIR *d;

	if (stat(path, &st)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	if (S_ISREG(st.st_mode))
		return run_file(path, (size_t)st.st_size);
	if (!S_ISDIR(st.st_mode) || !is_top)
		return 0;
	d = opendir(path);
	if (!d) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	while ((de = readdir(d))) {
		if (de->d_name[0] == '.')
			continue;
		if (snprintf(child, sizeof(child), "%s/%s", path, de->d_name) >= (int)sizeof(child)) {
			fprintf(stderr, "%s/%s: name too long\n", path, de->d_name);
			rc = -1;
		} else {
			rc = run_path(child, 0);
		}
		if (rc < 0) {
			closedir(d);
			return -1;
		}
		n_run += rc;
	}
	closedir(d);
	return n_run;
}

int main(int argc, char **argv)
{
	int n_run = 0, rc;

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++) {
		rc = run_path(argv[i], 1);
		if (rc < 0)
			return EXIT_FAILURE;
		n_run += rc;
	}
	if (n_run == 0) {
		printf("no corpus file found\n");
		return argc > 1 ? EXIT_FAILURE : EXIT_SKIP;
	}
	printf("%d inputs\n", n_run);
	return EXIT_SUCCESS;
}
