#!/bin/sh
# Creates the missing keys in a folder, with random contents.
set -eu
umask 077
for key in auth push play hook vod; do
	file=$1/$key
	[ -s "$file" ] && continue
	od -An -tx1 -N32 /dev/urandom | tr -d ' \n' >"$file.new"
	mv "$file.new" "$file"
done
# The servers do not run as root.
[ "$(id -u)" != 0 ] || chown -R "${2:-65532}" "$1"
