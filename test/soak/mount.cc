#include "mount.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "../e2e/harness/binary.h"
#include "../servers/await.h"
#include "report.h"

namespace stampede::soak {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw Broken(what + ": " + std::strerror(errno));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  operator int() const { return fd_; }

 private:
  int fd_;
};

// A free loop device with `file` in it; it detaches itself when nobody has it open or mounted any more.
std::pair<Descriptor, std::string> attach(const std::string& file) {
  const Descriptor backing(open(file.c_str(), O_RDWR | O_CLOEXEC));
  const Descriptor control(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (backing < 0 || control < 0) fail("open " + file);
  while (true) {
    const int number = ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0) fail("no loop device");
    const std::string name = "/dev/loop" + std::to_string(number);
    Descriptor device(open(name.c_str(), O_RDWR | O_CLOEXEC));
    if (device < 0) fail("open " + name);
    loop_config config{};
    config.fd = static_cast<__u32>(static_cast<int>(backing));
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (ioctl(device, LOOP_CONFIGURE, &config) == 0) return {std::move(device), name};
    if (errno != EBUSY) fail("attach " + file);  // busy: somebody else was quicker
  }
}

bool is_in_own_mounts = false;

// Every FUSE of this namespace fails from now on whatever is asked of it.
void abort_fuse() {
  const std::string control = "/sys/fs/fuse/connections";
  mount("none", control.c_str(), "fusectl", 0, nullptr);
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    if (line.find(" - fuse") == line.npos || line.find("/stampede-test-") == line.npos) continue;
    const std::string device = line.substr(line.find(':') + 1);  // of "36 35 0:41 / …"
    std::ofstream(control + "/" + device.substr(0, device.find(' ')) + "/abort") << "1";
  }
}

// A process that stays in the namespace until this one has ended. A killed process cannot serve its FUSE any more, and waits
// for it for ever where a file system on it is dismounted: somebody else must break it off.
void leave_a_guard() {
  const pid_t parent = getpid();
  if (fork() != 0) return;
  setsid();
  sigset_t all, parent_died;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  sigemptyset(&parent_died);
  sigaddset(&parent_died, SIGUSR1);
  prctl(PR_SET_PDEATHSIG, SIGUSR1);
  int received = 0;
  if (getppid() == parent) sigwait(&parent_died, &received);
  abort_fuse();
  _exit(0);
}

}  // namespace

bool has_own_mounts() {
  return is_in_own_mounts;
}

std::string enter_own_mounts() {
  if (geteuid() != 0) return "not root";
  if (access("/dev/loop-control", R_OK | W_OK) != 0) return "no loop devices";
  if (!e2e::is_installed("mkfs.ext4")) return "no mkfs.ext4";
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return std::string("no mount namespace: ") + std::strerror(errno);
  leave_a_guard();
  is_in_own_mounts = true;
  return "";
}

MemoryFile::MemoryFile(int mebibytes)
    : size_(uint64_t{static_cast<unsigned>(mebibytes)} << 20),
      fd_(memfd_create("stampede-soak", MFD_CLOEXEC)) {
  if (fd_ < 0 || ftruncate(fd_, static_cast<off_t>(size_)) != 0) fail("a file in memory");
}

MemoryFile::~MemoryFile() {
  close(fd_);
}

std::string MemoryFile::path() const {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_);
}

void MemoryFile::read(char* bytes, size_t size, uint64_t offset) const {
  if (pread(fd_, bytes, size, static_cast<off_t>(offset)) != static_cast<ssize_t>(size))
    fail("read a file in memory");
}

void MemoryFile::write(const char* bytes, size_t size, uint64_t offset) {
  if (pwrite(fd_, bytes, size, static_cast<off_t>(offset)) != static_cast<ssize_t>(size))
    fail("write a file in memory");
}

void MemoryFile::copy(const MemoryFile& other) {
  std::vector<char> bytes;
  for (off_t at = 0; (at = lseek(other.fd_, at, SEEK_DATA)) >= 0;) {
    const off_t end = lseek(other.fd_, at, SEEK_HOLE);
    bytes.resize(static_cast<size_t>(end - at));
    other.read(bytes.data(), bytes.size(), static_cast<uint64_t>(at));
    write(bytes.data(), bytes.size(), static_cast<uint64_t>(at));
    at = end;
  }
}

std::string make_ext4(const MemoryFile& file) {
  // Whole at once: nothing is left for a thread of the kernel to write later.
  const auto made =
      e2e::run({"mkfs.ext4", "-q", "-F", "-m", "0", "-b", "4096", "-J", "size=4", "-E",
                "lazy_itable_init=0,lazy_journal_init=0,nodiscard", file.path()});
  if (made.exit_code != 0) throw Broken("mkfs.ext4: " + made.err);
  return file.path();
}

Mount::Mount(const std::string& file) {
  if (mkdir(directory_.c_str(), 0700) != 0) fail("mkdir " + directory_);
  const auto [device, name] = attach(file);
  if (mount(name.c_str(), directory_.c_str(), "ext4", MS_NOATIME, nullptr) != 0)
    fail("mount " + file);
}

Mount::~Mount() {
  // A process that was just killed may hold it for another moment.
  const bool is_done =
      servers::await([&] { return umount2(directory_.c_str(), 0) == 0 || errno != EBUSY; });
  if (!is_done) umount2(directory_.c_str(), MNT_DETACH);
}

}  // namespace stampede::soak
