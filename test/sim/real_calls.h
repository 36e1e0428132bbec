// The C library's own calls, behind those that the linker puts in front of them (-Wl,--wrap, SIM_WRAPPED in the Makefile):
// what the simulator itself uses on the files that it keeps.
#pragma once

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cstdio>

extern "C" {
int __real_open(const char* path, int flags, ...);
int __real_close(int fd);
ssize_t __real_pread(int fd, void* into, size_t bytes, off_t offset);
ssize_t __real_pwrite(int fd, const void* from, size_t bytes, off_t offset);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_ftruncate(int fd, off_t size);
int __real_fallocate(int fd, int mode, off_t offset, off_t bytes);
int __real_rename(const char* from, const char* to);
int __real_unlink(const char* path);
int __real_rmdir(const char* path);
int __real_mkdir(const char* path, mode_t mode);
DIR* __real_opendir(const char* path);
FILE* __real_fopen(const char* path, const char* mode);
[[noreturn]] void __real__exit(int exit_code);
}
