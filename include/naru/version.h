/* SPDX-License-Identifier: BSD-2-Clause */
/* The version of the library a program was linked with, as text. */
#ifndef NARU_VERSION_H
#define NARU_VERSION_H

#ifndef NARU_API
#define NARU_API __attribute__((visibility("default")))
#endif

/* "MAJOR.MINOR.PATCH", of the library at run time; valid for the life of the process. */
extern NARU_API const char naru_version[];

#endif
