/*
 * The first code of flanneld's own that runs in the single executable, before Node's: puts the netlink addon, which lies in the
 * executable, into a memory file, since a shared library can be loaded from a file only (dlopen(3)) and a host may have no place where
 * one may be written and executed. Then jumps to where Node starts.
 *
 * The file is left open with close-on-exec; src/native finds it in /proc/self/fd by its name. Where the kernel refuses it (older than
 * 3.17, vm.memfd_noexec=2, a filter of system calls), there is none, and the addon is looked for elsewhere.
 *
 * Compiled to one piece of position-independent code without a library, relocations or data (packaging/addon.mjs --prebuild); what it
 * has to know is written behind it (packaging/executable/elf.mjs).
 */
#include <linux/memfd.h>
#include <stddef.h>
#include <sys/syscall.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* linux/memfd.h since 6.3 */
#endif

/* Written by elf.mjs; distances in bytes from this structure. */
struct place {
    long entry;
    long addon;
    unsigned long addon_size;
};
extern const struct place place __attribute__((visibility("hidden")));
extern const char name[] __attribute__((visibility("hidden")));

/* Behind the code, in one section with it. */
__asm__(".section .text.2, \"ax\"\n"
        "name: .asciz \"flanneld-netlink\"\n"
        ".balign 8\n"
        ".globl place\n"
        "place: .quad 0x646c656e6e616c66, 0, 0\n" /* "flanneld", by which elf.mjs finds it */
        ".text\n");

/* Where the kernel or ld.so jumps to. Registers that the real entry is handed are kept (System V ABI, "Process Initialization"). */
#if defined(__x86_64__)
__asm__(".section .text.0, \"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "  push %rdx\n"
        "  call prelude\n"
        "  pop %rdx\n"
        "  jmp *%rax\n"
        ".text\n");

static inline long system_call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
__asm__(".section .text.0, \"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "  stp x0, x30, [sp, #-16]!\n"
        "  bl prelude\n"
        "  mov x16, x0\n"
        "  ldp x0, x30, [sp], #16\n"
        "  br x16\n"
        ".text\n");

static inline long system_call(long number, long a, long b, long c)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}
#else
#error "no prelude for this architecture"
#endif

/* Returns the address at which Node starts. */
__attribute__((section(".text.1"), used)) long prelude(void)
{
    const char *base = (const char *)&place;
    const char *next = base + place.addon;
    unsigned long left = place.addon_size;
    long file = system_call(SYS_memfd_create, (long)name, MFD_CLOEXEC | MFD_EXEC, 0);
    if (file < 0) file = system_call(SYS_memfd_create, (long)name, MFD_CLOEXEC, 0); /* before 6.3 the flag is not known */
    while (file >= 0 && left > 0) {
        long written = system_call(SYS_write, file, (long)next, (long)left);
        if (written <= 0) {
            system_call(SYS_close, file, 0, 0);
            break;
        }
        next += written;
        left -= (unsigned long)written;
    }
    return (long)(base + place.entry);
}
