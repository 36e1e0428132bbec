#include "orderlog/directory.h"

#include "rig.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
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

// With every line that there can be.
Manifest known_manifest() {
  Manifest manifest = next_generation(new_manifest(7, 1, 1 << 20), 2,
                                      {{.next_lsn = 61, .prev_chain = 0xfedcba9876543210}, {}});
  manifest.log_uuid.fill(0xab);
  manifest.stream_uuid.fill(0xcd);
  manifest.hash_key.fill(0xef);
  manifest.boot = 12;
  manifest.is_loss_pending = true;
  manifest.copied_ms = 1'795'959'385'582;
  manifest.is_at_rest = true;
  manifest.machine_id = this_machine_id();
  manifest.streams[0].first_snapshot_sum = 0x0123456789abcdef;
  manifest.streams[1].cut_lsn = 44;
  manifest.streams[1].cut_floor = 1'000'000;
  note_log_end(manifest.streams[0], {.next_lsn = 900, .prev_chain = 0xfedcba9876543210});
  return manifest;
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
    manifest.format_version = kManifestVersion + 1;
    REQUIRE(write_manifest(dir.path(), manifest));
    CHECK_FALSE(read_manifest(dir.path()).error().is_damage);
    CHECK(contains(error_of(dir.path()), "format version 3"));
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
    if (!this_machine_id().empty()) CHECK_FALSE(read_manifest(dir.path()).error().is_damage);
    if (this_machine_id().empty()) {
      CHECK(read_manifest(dir.path()));
      return;
    }
    CHECK(contains(error_of(dir.path()), "remove the line machine_id"));
    CHECK(read_manifest(dir.path(), true));
    const std::string path = dir.path() + "/manifest";
    const std::string text = read_file(path);
    const size_t at = text.find("machine_id = "), end = text.find('\n', at) + 1;
    std::ofstream(path) << text.substr(0, at) + text.substr(end);
    CHECK(error_of(dir.path()).empty());
  }

  TEST_CASE("one bit flipped anywhere in a manifest is damage with its path") {
    const ScratchDir dir;
    REQUIRE(write_manifest(dir.path(), known_manifest()));
    const std::string path = dir.path() + "/manifest";
    const size_t size = std::filesystem::file_size(path);
    Damage damage(path);
    for (size_t bit = 0; bit < 8 * size; ++bit) {
      damage.flip(bit / 8, bit % 8);
      const auto manifest = read_manifest(dir.path());
      const bool is_refused = !manifest && manifest.error().is_damage;
      if (!is_refused || !contains(manifest.error().message, path)) FAIL("bit ", bit);
      damage.flip(bit / 8, bit % 8);
    }
    CHECK(**read_manifest(dir.path()) == known_manifest());
  }

  TEST_CASE("a manifest that is cut or longer or blank or no file is damage") {
    const ScratchDir dir;
    REQUIRE(write_manifest(dir.path(), known_manifest()));
    const std::string path = dir.path() + "/manifest", sound = read_file(path);
    const auto is_damage = [&] {
      const auto manifest = read_manifest(dir.path());
      return !manifest && manifest.error().is_damage && contains(manifest.error().message, path);
    };
    for (size_t size = 0; size < sound.size(); ++size) {
      std::ofstream(path) << sound.substr(0, size);
      if (!is_damage()) FAIL("cut to ", size);
    }
    for (const std::string& more : {std::string("\n"), std::string("node = 1\n"),
                                    std::string(1, '\0'), std::string(17'000, 'x')}) {
      std::ofstream(path) << sound + more;
      CHECK(is_damage());
    }
    std::ofstream(path) << std::string(sound.size(), '\0');
    CHECK(is_damage());
    std::filesystem::remove(path);
    std::filesystem::create_directory(path);
    CHECK(is_damage());
    std::filesystem::remove(path);
    std::ofstream(dir.path() + "/aside") << sound;
    std::filesystem::create_symlink(dir.path() + "/aside", path);
    CHECK(is_damage());
  }

  TEST_CASE("a manifest of version 1 is read and knows nothing of its streams") {
    const ScratchDir dir;
    Manifest manifest = new_manifest(3, 2, 1 << 20);
    manifest.format_version = 1;
    REQUIRE(write_manifest(dir.path(), manifest));
    CHECK_FALSE(contains(read_file(dir.path() + "/manifest"), "checksum"));
    const Manifest read = **read_manifest(dir.path());
    CHECK(read == manifest);
    CHECK_FALSE(read.streams[1].has_begun);
    manifest.generation = 2;
    REQUIRE(write_manifest(dir.path(), manifest));
    CHECK(read_manifest(dir.path())->value().streams[1].begins_with_snapshot);
  }

  TEST_CASE("each generation's files carry an id of their own") {
    const Manifest first = new_manifest(3, 2, 1 << 20), next = next_generation(first, 5, {{}, {}});
    CHECK_EQ(next.generation, 2);
    CHECK_EQ(next.streams.size(), 5);
    CHECK(next.streams[4].begins_with_snapshot);
    CHECK(next.log_uuid == first.log_uuid);
    CHECK(stream_files("d", next, 0).log_uuid != stream_files("d", first, 0).log_uuid);
    CHECK(stream_files("d", first, 0).log_uuid == first.log_uuid);
  }

  TEST_CASE("generations before the manifest's are removed, and what is not ours keeps its place") {
    const ScratchDir dir;
    const Manifest first = new_manifest(0, 2, 1 << 20),
                   second = next_generation(first, 3, {{}, {}}),
                   third = next_generation(second, 1, {{}, {}, {}}),
                   fourth = next_generation(third, 1, {{}});
    for (const Manifest& manifest : {first, second, fourth, third})
      REQUIRE(write_manifest(dir.path(), manifest));
    const auto has = [&](const std::string& place) {
      return std::filesystem::exists(dir.path() + "/log/" + place);
    };
    std::ofstream(dir.path() + "/log/g1/s0/0000000001.log") << "records";
    // In the way of the one that is met first: the other goes all the same.
    std::string met, other;
    for (const std::string& name : *list_directory(dir.path() + "/log"))
      if (name == "g1" || name == "g2") (met.empty() ? met : other) = name;
    std::ofstream(dir.path() + "/log/" + met + "/notes") << "mine";
    const Result<uint32_t> hindered = remove_generations_before(dir.path(), third);
    REQUIRE_FALSE(hindered);
    CHECK(contains(hindered.error().message, "/log/" + met));
    CHECK((has(met + "/notes") && !has(met + "/s0") && !has(other)));
    CHECK((has("g3/s0") && has("g4/s0")));
    std::filesystem::remove(dir.path() + "/log/" + met + "/notes");
    CHECK(*remove_generations_before(dir.path(), third) == 1);
    CHECK((!has(met) && has("g3/s0") && has("g4/s0")));
    CHECK(*remove_generations_before(dir.path(), third) == 0);
  }

  TEST_CASE("streams that the manifest does not name and streams that are gone are damage") {
    const ScratchDir dir;
    const Manifest manifest = new_manifest(0, 2, 1 << 20);
    REQUIRE(write_manifest(dir.path(), manifest));
    CHECK(check_streams(dir.path(), manifest));
    const auto check_refused = [&](const std::string& place) {
      const Status status = check_streams(dir.path(), manifest);
      REQUIRE_FALSE(status);
      CHECK(status.error().is_damage);
      CHECK(contains(status.error().message, place));
    };
    // What a change of shards leaves when it is killed before the manifest is replaced: snapshots that nobody continued.
    for (const std::string place : {"/log/g1/s2", "/log/g2/s0"}) {
      std::filesystem::create_directories(dir.path() + place);
      std::ofstream(dir.path() + place + "/snapshot-0000000001") << "x";
      CHECK(check_streams(dir.path(), manifest));
      std::ofstream(dir.path() + place + "/0000000001.log") << "x";
      check_refused(place);
      std::filesystem::remove_all(dir.path() + place);
    }
    std::filesystem::create_directories(dir.path() + "/log/g0/s7");
    std::ofstream(dir.path() + "/log/g0/s7/0000000001.log") << "an earlier generation";
    CHECK(check_streams(dir.path(), manifest));
    std::filesystem::remove(dir.path() + "/log/g1/s1");
    check_refused("/log/g1/s1");
    std::ofstream(dir.path() + "/log/g1/s1") << "x";
    check_refused("/log/g1/s1");
  }

  TEST_CASE("a log or a database without a manifest is damage and a directory just made is not") {
    const ScratchDir dir;
    CHECK(check_new(dir.path()));
    std::filesystem::create_directories(dir.path() + "/log/g1/s0");
    CHECK(check_new(dir.path()));  // killed before its first manifest was written
    const auto check_refused = [&](const std::string& file) {
      std::ofstream(dir.path() + file) << "x";
      const Status status = check_new(dir.path());
      REQUIRE_FALSE(status);
      CHECK(status.error().is_damage);
      CHECK(contains(status.error().message, dir.path() + "/manifest is missing"));
      std::filesystem::remove(dir.path() + file);
    };
    check_refused("/log/g1/s0/0000000001.log");
    check_refused("/log/g1/s0/snapshot-0000000004");
    check_refused("/orders.db");
    CHECK(check_new(dir.path()));
  }

  TEST_CASE("each wrong line is named and nothing is changed") {
    const ScratchDir dir;
    Manifest manifest = new_manifest(3, 2, 1 << 20);
    manifest.format_version = 1;  // without a sum, so that a line can be wrong by itself
    REQUIRE(write_manifest(dir.path(), manifest));
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

  TEST_CASE("a lock ends with its holder however that ends") {
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
