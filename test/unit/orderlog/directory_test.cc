#include "orderlog/directory.h"

#include "rig.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

namespace stampede::orderlog {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

std::string error_of(const std::string& data_dir) {
  const auto manifest = read_manifest(data_dir);
  return manifest ? "" : manifest.error().message;
}

TEST_SUITE("orderlog/directory") {
  TEST_CASE("a manifest reads back as it was written") {
    const ScratchDir dir;
    CHECK_FALSE(read_manifest(dir.path())->has_value());
    const Manifest manifest = new_manifest(7, 2, 1 << 20);
    CHECK(manifest.log_uuid != Uuid{});
    CHECK(manifest.hash_key != HashKey{});
    REQUIRE(write_manifest(dir.path(), manifest));
    CHECK(**read_manifest(dir.path()) == manifest);
    CHECK_FALSE(std::filesystem::exists(dir.path() + "/manifest.tmp"));
  }

  TEST_CASE("two new logs are never the same") {
    const Manifest a = new_manifest(0, 1, 1 << 20), b = new_manifest(0, 1, 1 << 20);
    CHECK(a.log_uuid != b.log_uuid);
    CHECK(a.hash_key != b.hash_key);
  }

  TEST_CASE("the directories of the streams are there before the manifest speaks of them") {
    const ScratchDir dir;
    const Manifest manifest = new_manifest(0, 3, 1 << 20);
    REQUIRE(write_manifest(dir.path(), manifest));
    for (uint32_t stream = 0; stream < 3; ++stream) {
      const StreamFiles files = stream_files(dir.path(), manifest, stream);
      CHECK(std::filesystem::is_directory(files.dir));
      CHECK_EQ(files.dir, dir.path() + "/log/g1/s" + std::to_string(stream));
      CHECK_EQ(files.stream, stream);
      CHECK_EQ(files.segment_bytes, 1 << 20);
      CHECK(files.log_uuid == manifest.log_uuid);
    }
  }

  TEST_CASE("a newer version is refused with what to do") {
    const ScratchDir dir;
    Manifest manifest = new_manifest(0, 1, 1 << 20);
    manifest.format_version = kFormatVersion + 1;
    REQUIRE(write_manifest(dir.path(), manifest));
    CHECK(contains(error_of(dir.path()), "format version 2"));
    CHECK(contains(error_of(dir.path()), "start the newer stampede"));
  }

  TEST_CASE("a newer version is recognised even when it has other keys") {
    const ScratchDir dir;
    std::ofstream(dir.path() + "/manifest") << "format_version = 9\nanything = else\n";
    CHECK(contains(error_of(dir.path()), "format version 9"));
  }

  TEST_CASE("the directory of another machine is refused with what to do") {
    const ScratchDir dir;
    Manifest manifest = new_manifest(0, 1, 1 << 20);
    manifest.machine_id = "0123456789abcdef0123456789abcdef";
    REQUIRE(write_manifest(dir.path(), manifest));
    if (this_machine_id().empty()) {
      CHECK(read_manifest(dir.path()));
      return;
    }
    CHECK(contains(error_of(dir.path()), "remove the line machine_id"));
    CHECK(read_manifest(dir.path(), true));
    const std::string path = dir.path() + "/manifest";
    const std::string text = read_file(path);
    std::ofstream(path) << text.substr(0, text.find("machine_id = "));
    CHECK(error_of(dir.path()).empty());
  }

  TEST_CASE("each wrong line is named and nothing is changed") {
    const ScratchDir dir;
    REQUIRE(write_manifest(dir.path(), new_manifest(3, 2, 1 << 20)));
    const std::string path = dir.path() + "/manifest";
    const std::string sound = read_file(path);
    const auto error_with = [&](const std::string& from, const std::string& to) {
      std::ofstream(path) << replaced(sound, from, to);
      const std::string error = error_of(dir.path());
      CHECK(read_file(path) == replaced(sound, from, to));
      return error;
    };
    CHECK(contains(error_with("node = 3", "node = 1024"), "node: expected a number up to 1023"));
    CHECK(contains(error_with("node = 3", "node = -1"), "node: expected"));
    CHECK(contains(error_with("node = 3", "node = 3x"), "node: expected"));
    CHECK(contains(error_with("node = 3\n", ""), "node: is missing"));
    CHECK(contains(error_with("node = 3", "node = 3\nnode = 3"), "node stands there twice"));
    CHECK(contains(error_with("node = 3", "nodes = 3"), "node"));
    CHECK(contains(error_with("node = 3", "node = 3\ncolour = red"), "unknown key colour"));
    CHECK(contains(error_with("node = 3", "node: 3"), "expected `key = value`"));
    CHECK(contains(error_with("shard_count = 2", "shard_count = 0"), "shard_count: expected"));
    CHECK(contains(error_with("shard_count = 2", "shard_count = 65"), "shard_count: expected"));
    CHECK(contains(error_with("segment_bytes = 1048576", "segment_bytes = 1048577"),
                   "segment_bytes: expected"));
    CHECK(contains(error_with("log_uuid = ", "log_uuid = 0"),
                   "log_uuid: expected 32 hexadecimal digits"));
    CHECK(contains(error_with("hash_key = ", "hash_key = zz"),
                   "hash_key: expected 32 hexadecimal digits"));
    CHECK(contains(error_with(sound, ""), "format_version"));
    CHECK(error_with("", "").empty());
  }

  TEST_CASE("a second process on the directory is refused with the holder's pid") {
    const ScratchDir dir;
    const LockAttempt first = lock_directory(dir.path() + "/new/deep");
    REQUIRE(first.lock.has_value());
    const ChildEnd end = run_in_child([&] {
      const LockAttempt second = lock_directory(dir.path() + "/new/deep");
      std::fputs(second.message.c_str(), stderr);
      _exit(!second.lock && second.is_in_use ? 0 : 1);
    });
    CHECK_EQ(end.exit_code, 0);
    CHECK(contains(end.text, "in use by process " + std::to_string(::getpid())));
  }

  TEST_CASE("a lock ends with its holder however he ends") {
    const ScratchDir dir;
    const ChildEnd end = run_in_child([&] {
      const LockAttempt held = lock_directory(dir.path());
      if (!held.lock) _exit(1);
      ::raise(SIGKILL);
    });
    CHECK_EQ(end.exit_code, -1);
    CHECK(lock_directory(dir.path()).lock.has_value());
  }

  TEST_CASE("a directory that cannot be made or written is an error with its name") {
    const LockAttempt attempt = lock_directory("/proc/stampede");
    CHECK_FALSE(attempt.lock.has_value());
    CHECK_FALSE(attempt.is_in_use);
    CHECK(contains(attempt.message, "/proc/stampede"));
  }
}

}  // namespace
}  // namespace stampede::orderlog
