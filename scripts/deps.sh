#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Sees to the Debian packages that building and testing need.
#
#   deps.sh            install what is missing, when root or with sudo that asks no password;
#                      otherwise print the one line that installs it, and stop
#   deps.sh --check    install nothing: stop if something needed to build is missing
#
# Without the optional packages some tests skip and say which package they miss.
# Plain sh and dpkg: this runs before python3 or a compiler is there.
set -u

needed="meson ninja-build gcc libc6-dev pkg-config libcmocka-dev libsodium-dev python3 curl iproute2"
optional="clang libclang-rt-14-dev valgrind tshark iperf3 wget netcat-openbsd passt libseccomp-dev
systemtap-sdt-dev ethtool"

is_installed()
{
	dpkg -s "$1" 2>/dev/null | grep -q '^Status: install ok installed'
}

missing_of()
{
	for p in "$@"; do
		is_installed "$p" || printf '%s ' "$p"
	done
}

# Those that this release has, as far as the package lists tell (all, when there are no lists yet).
known_of()
{
	for p in "$@"; do
		if [ -z "$(apt-cache pkgnames 2>/dev/null | head -n 1)" ] ||
		   [ -n "$(apt-cache madison "$p" 2>/dev/null)" ]; then
			printf '%s ' "$p"
		fi
	done
}

stop()
{
	printf '%s\n' "$*" >&2
	exit 1
}

if ! command -v dpkg >/dev/null 2>&1; then
	for tool in meson ninja cc pkg-config python3; do
		command -v "$tool" >/dev/null 2>&1 ||
			stop "This is not a Debian system and $tool is missing. Needed, by their Debian names: $needed."
	done
	exit 0
fi

# shellcheck disable=SC2086  # word lists
lacking=$(missing_of $needed)
# shellcheck disable=SC2046,SC2086
lacking_optional=$(known_of $(missing_of $optional))

if [ -z "$lacking" ] && [ -z "$lacking_optional" ]; then
	exit 0
fi
if [ "${1-}" = --check ]; then
	[ -z "$lacking" ] && exit 0
	printf 'apt-get update && apt-get install -y %s\n' "$lacking"
	stop "Packages needed to build are missing; the line above, run as root, installs them."
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
	if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
		as_root="sudo -n"
	elif [ -n "$lacking" ]; then
		printf 'apt-get update && apt-get install -y %s\n' "$lacking$lacking_optional"
		stop "Packages are missing and this user may not install them; run the line above as root, then again."
	else
		echo "Optional packages are missing, some tests will skip: apt-get update && apt-get install -y $lacking_optional"
		exit 0
	fi
fi

apt()
{
	# shellcheck disable=SC2086
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=120 --no-install-recommends "$@" </dev/null
}

echo "Installing: $lacking$lacking_optional"
apt update || echo "apt-get update failed; trying with the lists that are there" >&2
# shellcheck disable=SC2086
if ! apt install $lacking $lacking_optional; then
	if [ -n "$lacking" ]; then
		# shellcheck disable=SC2086
		apt install $lacking || stop "apt-get could not install: $lacking"
	fi
	for p in $lacking_optional; do
		apt install "$p" || echo "Optional package $p could not be installed; some tests will skip." >&2
	done
fi

# shellcheck disable=SC2086
lacking=$(missing_of $needed)
[ -z "$lacking" ] || stop "Still missing after the installation: $lacking"
exit 0
