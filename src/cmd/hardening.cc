#include "cmd/hardening.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "base/check.h"

namespace stampede::cmd {
namespace {

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

// System calls, by their use. A name that this machine's architecture does not have is passed over.
constexpr const char* kAllowed[] = {
    // sockets and events
    "accept4",
    "bind",
    "connect",
    "getpeername",
    "getsockname",
    "getsockopt",
    "listen",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "sendmsg",
    "sendmmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "eventfd2",
    "poll",
    "ppoll",
    "pselect6",
    "select",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    // files: the order log, snapshots, SQLite, keys that are read again, libpq's and the resolver's configuration
    "access",
    "close",
    "close_range",
    "copy_file_range",
    "dup",
    "dup2",
    "dup3",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fallocate",
    "fchmod",
    "fchmodat",
    "fchown",
    "fcntl",
    "fdatasync",
    "flock",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "getcwd",
    "getdents64",
    "ioctl",
    "lseek",
    "lstat",
    "memfd_create",  // the sockets' list in a hand-over
    "mkdir",
    "mkdirat",
    "newfstatat",
    "open",
    "openat",
    "pipe2",
    "pread64",
    "preadv",
    "preadv2",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readlink",
    "readlinkat",
    "readv",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "stat",
    "statfs",
    "statx",
    "sync_file_range",
    "truncate",
    "umask",
    "unlink",
    "unlinkat",
    "utimensat",
    "write",
    "writev",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    // memory
    "brk",
    "madvise",
    "membarrier",
    "mincore",
    "mlock",
    "mlock2",
    "mmap",
    "mprotect",
    "mremap",
    "msync",
    "munlock",
    "munmap",
    // threads, time, signals and a process' questions about itself
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "exit",
    "exit_group",
    "futex",
    "getcpu",
    "getegid",
    "geteuid",
    "getgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getpriority",
    "getrandom",
    "getresgid",
    "getresuid",
    "getrlimit",
    "getrusage",
    "gettid",
    "gettimeofday",
    "getuid",
    "nanosleep",
    "prctl",
    "prlimit64",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_setaffinity",
    "sched_yield",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "sysinfo",
    "time",
    "times",
    "uname",
};

// System calls that a running server never makes: they end the process.
constexpr const char* kDeadly[] = {
    "execve",
    "execveat",
    "fork",
    "vfork",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "init_module",
    "finit_module",
    "kexec_load",
    "bpf",
    "mount",
    "pivot_root",
    "setuid",
    "setgid",
    "setreuid",
    "setresuid",
    "unshare",
    "setns",
};

// 0, or why not.
int add(void* filter, uint32_t action, const char* name) {
  const int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR || number < 0) return 0;  // another architecture's
  return seccomp_rule_add(filter, action, number, 0);
}

// A thread is made with clone(CLONE_THREAD …). The newer clone3() hides its flags from a filter: ENOSYS sends glibc to clone().
int add_threads(void* filter) {
  if (const int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0))
    return error;
  if (const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                         SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)))
    return error;
  return seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1,
                          SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
}

// To databases, Redis and the name service; netlink is how the resolver learns of interfaces.
int add_sockets(void* filter) {
  for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK})
    if (const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                           SCMP_A0(SCMP_CMP_EQ, static_cast<uint64_t>(family))))
      return error;
  return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
                          SCMP_A0(SCMP_CMP_EQ, uint64_t{AF_UNIX}));
}

// Signals to itself: SIGHUP for POST /admin/reload, abort().
int add_signals(void* filter) {
  const auto self = static_cast<uint64_t>(getpid());
  for (const int call : {SCMP_SYS(kill), SCMP_SYS(tgkill)})
    if (const int error =
            seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_A0(SCMP_CMP_EQ, self)))
      return error;
  return 0;
}

int fill(void* filter) {
  for (const char* name : kAllowed)
    if (const int error = add(filter, SCMP_ACT_ALLOW, name)) return error;
  for (const char* name : kDeadly)
    if (const int error = add(filter, SCMP_ACT_KILL_PROCESS, name)) return error;
  if (const int error = add_threads(filter)) return error;
  if (const int error = add_signals(filter)) return error;
  return add_sockets(filter);
}

}  // namespace

void forbid_core_dumps() {
  const rlimit none{0, 0};
  CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
  CHECK(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
}

Status enter_sandbox() {
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), &seccomp_release);
  if (filter == nullptr) return Error{"--sandbox: no memory for the filter"};
  // All threads at once, and without a privilege: no_new_privs is set by the library.
  int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  if (error == 0) error = fill(filter.get());
  if (error == 0) error = seccomp_load(filter.get());
  if (error != 0)
    return Error{std::string("--sandbox: this kernel does not take the filter: ") +
                 std::strerror(-error)};
  return Ok{};
}

}  // namespace stampede::cmd
