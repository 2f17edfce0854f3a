/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: naru SUBCOMMAND. */
/*
 * How it works: one row for each subcommand; each parses its own options.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "naru/version.h"
#include "tools/demo.h"
#include "tools/tools.h"

struct command {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *help;
};

static const struct command commands[] = {
	{ "demo", cmd_demo, "show an unmodified program sending through Naru to the kernel's TCP" },
	{ "run", cmd_run, "run a program on a network stack of its own" },
};

void say(const char *fmt, ...)
{
	va_list ap;

	fputs("naru: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void usage(FILE *to)
{
	fputs("Usage: naru COMMAND [OPTION...]\n\nCommands:\n", to);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\n`naru COMMAND --help` lists a command's options.\n", to);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return 64; /* EX_USAGE */
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].fn(argc - 1, argv + 1);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("naru %s\n", naru_version);
		return 0;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return 0;
	}
	say("there is no command \"%s\"; see naru --help", argv[1]);
	return 64;
}
