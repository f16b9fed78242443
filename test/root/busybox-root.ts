/** Shell script: puts busybox with some of its names and, where it is not static, its libraries into the empty folder `$root`. */
export const MAKE_BUSYBOX_ROOT = `binary=$(command -v busybox)
mkdir "$root/bin"
cp "$binary" "$root/bin/busybox"
for library in $(ldd "$binary" 2>/dev/null | grep -o '/[^ ]*' || true); do cp --parents -L "$library" "$root"; done
for name in sh ip ping httpd wget sleep; do ln -s busybox "$root/bin/$name"; done`
