#include "orderlog/disk.h"

#include "orderlog/thread_disk.h"
#include "orderlog/uring_disk.h"
#include "rig.h"

#include <doctest/doctest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstddef>
#include <string>
#include <thread>

namespace stampede::orderlog {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

int64_t wait_for_outcome(Disk& disk) {
  while (true) {
    if (const std::optional<int64_t> outcome = disk.poll()) return *outcome;
    pollfd event{.fd = disk.event_fd(), .events = POLLIN};
    ::poll(&event, 1, -1);
    disk.drain_events();
  }
}

// The ways to make a disk that work here; a sandbox may forbid io_uring.
std::vector<std::unique_ptr<Disk>> all_disks() {
  std::vector<std::unique_ptr<Disk>> disks;
  disks.push_back(std::move(*ThreadDisk::make()));
  if (auto uring = UringDisk::make()) disks.push_back(std::move(*uring));
  return disks;
}

File scratch_file(const std::string& path, int flags = O_WRONLY) {
  return File(::open(path.c_str(), flags | O_CREAT | O_CLOEXEC, 0600));
}

// As a container's seccomp profile does it: io_uring_setup fails with EPERM.
void forbid_io_uring() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = std::size(program), .filter = program};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(97);
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) _exit(96);
}

TEST_SUITE("orderlog/disk") {
  TEST_CASE("a write is told once with its size and lies in the file") {
    for (const auto& disk : all_disks()) {
      const ScratchDir dir("/tmp");
      const File file = scratch_file(dir.path() + "/f");
      const AlignedBuffer memory(64 * 1024);
      std::memset(memory.bytes().data(), 'x', memory.bytes().size());
      disk->adopt(memory.bytes());
      CHECK_FALSE(disk->poll().has_value());
      disk->submit(file.fd(), 4096, memory.bytes().first(8192));
      CHECK_EQ(wait_for_outcome(*disk), 8192);
      CHECK_FALSE(disk->poll().has_value());
      CHECK_EQ(read_file(dir.path() + "/f"), std::string(4096, '\0') + std::string(8192, 'x'));
    }
  }

  TEST_CASE("memory that was not adopted can be written too") {
    for (const auto& disk : all_disks()) {
      const ScratchDir dir("/tmp");
      const File file = scratch_file(dir.path() + "/f");
      const AlignedBuffer memory(4096);
      disk->submit(file.fd(), 0, memory.bytes());
      CHECK_EQ(wait_for_outcome(*disk), 4096);
    }
  }

  TEST_CASE("a failed write tells its errno and the disk can go on") {
    for (const auto& disk : all_disks()) {
      const ScratchDir dir("/tmp");
      const std::string path = dir.path() + "/f";
      const File file = scratch_file(path);
      const File wrong = scratch_file(path, O_RDONLY);
      const AlignedBuffer memory(4096);
      disk->submit(wrong.fd(), 0, memory.bytes());
      CHECK_EQ(wait_for_outcome(*disk), -EBADF);
      disk->submit(file.fd(), 0, memory.bytes());
      CHECK_EQ(wait_for_outcome(*disk), 4096);
    }
  }

  TEST_CASE("the event is readable from the outcome until it is drained") {
    for (const auto& disk : all_disks()) {
      const ScratchDir dir("/tmp");
      const File file = scratch_file(dir.path() + "/f");
      const AlignedBuffer memory(4096);
      pollfd event{.fd = disk->event_fd(), .events = POLLIN};
      CHECK_EQ(::poll(&event, 1, 0), 0);
      disk->submit(file.fd(), 0, memory.bytes());
      CHECK_EQ(::poll(&event, 1, -1), 1);
      CHECK_EQ(::poll(&event, 1, 0), 1);
      disk->drain_events();
      CHECK_EQ(wait_for_outcome(*disk), 4096);
      disk->drain_events();
      CHECK_EQ(::poll(&event, 1, 0), 0);
    }
  }

  TEST_CASE("a disk made on one thread belongs to the one that submits") {
    for (const auto& disk : all_disks()) {
      const ScratchDir dir("/tmp");
      const File file = scratch_file(dir.path() + "/f");
      const AlignedBuffer memory(4096);
      disk->adopt(memory.bytes());
      std::thread shard([&] {
        for (int i = 0; i < 20; ++i) {
          disk->submit(file.fd(), static_cast<uint64_t>(i) * 4096, memory.bytes());
          CHECK_EQ(wait_for_outcome(*disk), 4096);
        }
      });
      shard.join();
    }
  }

  TEST_CASE("a plan says in one line how writes will be made durable") {
    const ScratchDir dir("/tmp");
    for (const Durability durability : {Durability::fsync, Durability::os}) {
      const Result<DiskPlan> plan = plan_disk(dir.path(), durability);
      if (!plan && contains(plan.error().message, "tmpfs")) continue;  // /tmp may be one
      REQUIRE_MESSAGE(plan, (plan ? "" : plan.error().message));
      CHECK(contains(plan->description, "order log: "));
      CHECK_EQ((plan->open_flags & O_DSYNC) != 0, durability == Durability::fsync);
      CHECK_EQ((plan->open_flags & O_DIRECT) != 0, plan->is_direct);
      const auto disk = make_disk(*plan);
      REQUIRE(disk);
      const File file = scratch_file(dir.path() + "/f", plan->open_flags);
      const AlignedBuffer memory(8192);
      (*disk)->adopt(memory.bytes());
      (*disk)->submit(file.fd(), 0, memory.bytes());
      CHECK_EQ(wait_for_outcome(**disk), 8192);
      std::filesystem::remove(dir.path() + "/f");
      CHECK(std::filesystem::is_empty(dir.path()));  // the probe cleans up behind itself
    }
  }

  TEST_CASE("a file system in memory cannot promise fsync and the way out is named") {
    if (::access("/dev/shm", W_OK) != 0) return;
    const ScratchDir dir("/dev/shm");
    const Result<DiskPlan> plan = plan_disk(dir.path(), Durability::fsync);
    REQUIRE_FALSE(plan);
    CHECK(contains(plan.error().message, "--durability os"));
    CHECK(contains(plan.error().message, dir.path()));
    CHECK(plan_disk(dir.path(), Durability::os));
  }

  TEST_CASE("a directory that cannot be written is an error with its name") {
    const Result<DiskPlan> plan = plan_disk("/proc/nowhere", Durability::os);
    REQUIRE_FALSE(plan);
    CHECK(contains(plan.error().message, "/proc/nowhere"));
  }

  TEST_CASE("where io_uring is forbidden a helper thread writes and the plan says so") {
    const ScratchDir dir;
    const ChildEnd end = run_in_child([&] {
      forbid_io_uring();
      const Result<DiskPlan> plan = plan_disk(dir.path(), Durability::os);
      if (!plan) _exit(1);
      std::fputs(plan->description.c_str(), stderr);
      const auto disk = make_disk(*plan);
      const File file = scratch_file(dir.path() + "/f");
      const AlignedBuffer memory(4096);
      (*disk)->submit(file.fd(), 0, memory.bytes());
      _exit(!plan->has_uring && wait_for_outcome(**disk) == 4096 ? 0 : 2);
    });
    CHECK_EQ(end.exit_code, 0);
    CHECK(contains(end.text, "helper thread (io_uring: Operation not permitted)"));
  }

  TEST_CASE("the writer and recovery agree on a real disk") {
    for (const auto& disk : all_disks()) {
      const ScratchDir dir("/tmp");
      StreamFiles files = small_files(dir.path());
      files.is_direct = true;
      Result<DiskPlan> plan = plan_disk(dir.path(), Durability::fsync);
      if (!plan) plan = plan_disk(dir.path(), Durability::os);
      ZeroedSegmentMaker maker;
      SegmentKeeper keeper(plan->open_flags, maker, nullptr);
      StreamSegments& segments = keeper.add(files, 1, 1);
      REQUIRE(keeper.start());
      Marks marks;
      Writer writer(files, {}, BootId{}, *disk, segments, marks);
      while (writer.position().segment < 3) {
        for (int i = 0; i < 50; ++i) writer.append(sample_reserve(writer.appended() + 1));
        while (!writer.start_write(kNoon)) std::this_thread::yield();
        while (!writer.poll(kNoon)) {
          pollfd event{.fd = disk->event_fd(), .events = POLLIN};
          ::poll(&event, 1, -1);
          disk->drain_events();
        }
      }
      const auto report = recover_log(files);
      REQUIRE(report);
      CHECK(report->outcome == RecoveryOutcome::clean);
      CHECK(report->end == writer.position());
    }
  }
}

}  // namespace
}  // namespace stampede::orderlog
