#include "orderlog/snapshot.h"

#include "rig.h"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "base/hash.h"
#include "orderlog/format.h"

namespace stampede::orderlog {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

SnapshotFacts facts_for(uint32_t segment) {
  return {
      .position = {.segment = segment, .batch_seq = 70, .next_lsn = 900, .prev_chain = 0xabcdef},
      .epoch = 3,
      .sequence_max = 12'345,
      .wall_ns = kNoon.wall_ns,
      .boot_id = {5, 6}};
}

Status write_snapshot(const StreamFiles& files, uint32_t segment, uint64_t orders,
                      OrderState state = OrderState::paid) {
  SnapshotWriter writer(files);
  if (Status status = writer.begin(segment); !status) return status;
  for (uint64_t i = 1; i <= orders; ++i) {
    const OrderImage image{.reserve = sample_reserve(i), .state = state, .last_lsn = i};
    if (Status status = writer.append(image); !status) return status;
  }
  const Result<uint64_t> sum = writer.finish(facts_for(segment));
  if (!sum) return sum.error();
  CHECK_EQ(*sum, read_snapshot_facts(files, segment)->sum);
  return Ok{};
}

Result<SnapshotFacts> read_all(const StreamFiles& files, uint32_t segment,
                               uint64_t* orders = nullptr) {
  return read_snapshot(files, segment, [&](const Record& record) -> Status {
    const auto& image = std::get<OrderImage>(record);
    if (orders != nullptr && image.reserve.order.sequence() == *orders + 1) ++*orders;
    return Ok{};
  });
}

TEST_SUITE("orderlog/snapshot") {
  TEST_CASE("a snapshot reads back record by record with its facts") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    for (const uint64_t orders : {0, 1, 20'000}) {  // none, one batch, several
      REQUIRE(write_snapshot(files, 7, orders));
      uint64_t read = 0;
      const Result<SnapshotFacts> facts = read_all(files, 7, &read);
      REQUIRE_MESSAGE(facts, (facts ? "" : facts.error().message));
      CHECK_EQ(read, orders);
      CHECK_EQ(facts->record_count, orders);
      CHECK(facts->position == facts_for(7).position);
      CHECK_EQ(facts->epoch, 3);
      CHECK_EQ(facts->sequence_max, 12'345);
      CHECK_EQ(facts->wall_ns, kNoon.wall_ns);
      CHECK(facts->boot_id == BootId{5, 6});
      CHECK(read_snapshot_facts(files, 7)->position == facts->position);
    }
  }

  TEST_CASE("one bit flipped anywhere in a snapshot is refused") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    REQUIRE(write_snapshot(files, 7, 20));
    const std::string path = dir.path() + "/snapshot-0000000007";
    Damage damage(path);
    const size_t size = std::filesystem::file_size(path);
    CHECK_EQ(size, 8192);
    for (size_t offset = 0; offset < size; ++offset) {
      damage.flip(offset, offset % 8);
      const bool is_refused = !read_all(files, 7);
      damage.flip(offset, offset % 8);
      if (!is_refused) FAIL("byte ", offset);
    }
    CHECK(read_all(files, 7));
  }

  TEST_CASE("a snapshot of the history that an accepted loss has ended is refused") {
    const ScratchDir dir;
    StreamFiles files = small_files(dir.path());
    REQUIRE(write_snapshot(files, 7, 20));  // record 899, orders up to 12,345
    const auto is_sound = [&](Lsn cut_lsn, uint64_t cut_floor) {
      files.known.cut_lsn = cut_lsn;
      files.known.cut_floor = cut_floor;
      CHECK(bool(read_all(files, 7)) == bool(read_snapshot_facts(files, 7)));
      return bool(read_all(files, 7));
    };
    CHECK(is_sound(0, 0));
    CHECK_FALSE(is_sound(0, 12'346));
    CHECK_FALSE(is_sound(898, 12'346));
    CHECK(is_sound(899, 12'346));  // it lies in front of the loss
    CHECK(is_sound(898, 12'345));  // it was made since
  }

  TEST_CASE("bytes behind a snapshot's last batch are refused") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    REQUIRE(write_snapshot(files, 7, 20));
    std::ofstream(dir.path() + "/snapshot-0000000007", std::ios::app) << '\0';
    const Result<SnapshotFacts> read = read_all(files, 7);
    REQUIRE_FALSE(read);
    CHECK(read.error().is_damage);
  }

  TEST_CASE("a snapshot that is a link or a directory or a pipe is damage and never waited for") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    const std::string path = snapshot_path(files, 7);
    REQUIRE(write_snapshot(files, 7, 20));
    std::filesystem::rename(path, dir.path() + "/aside");
    const auto check_refused = [&] {
      const Result<SnapshotFacts> read = read_all(files, 7);
      REQUIRE_FALSE(read);
      CHECK(read.error().is_damage);
      CHECK(contains(read.error().message, path));
      std::filesystem::remove(path);
    };
    check_refused();  // missing
    std::filesystem::create_symlink(dir.path() + "/aside", path);
    check_refused();
    std::filesystem::create_directory(path);
    check_refused();
    REQUIRE_EQ(::mkfifo(path.c_str(), 0600), 0);
    check_refused();
  }

  TEST_CASE("a snapshot cut short or without one of its batches is refused") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    REQUIRE(write_snapshot(files, 7, 20'000));
    const std::string path = dir.path() + "/snapshot-0000000007";
    const std::string whole = read_file(path);
    for (const size_t size :
         {size_t{0}, size_t{100}, size_t{4096}, whole.size() / 2, whole.size() - 4096}) {
      std::filesystem::resize_file(path, size);
      CHECK_FALSE(read_all(files, 7));
    }
    // The last batch of the whole replaced by zeros: the sums of the others are right.
    std::ofstream(path, std::ios::binary)
        << whole.substr(0, whole.size() - 1024 * 1024) << std::string(1024 * 1024, '\0');
    CHECK_FALSE(read_all(files, 7));
  }

  TEST_CASE("a snapshot whose header belongs to other batches is refused") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    const std::string path = dir.path() + "/snapshot-0000000007";
    REQUIRE(write_snapshot(files, 7, 5));
    const std::string header = read_file(path).substr(0, 4096);
    REQUIRE(write_snapshot(files, 7, 6));
    Damage(path).put(0, header);
    uint64_t orders = 0;
    CHECK_FALSE(read_all(files, 7, &orders));
    CHECK_EQ(orders, 6);  // each batch was sound
  }

  TEST_CASE("batches of another snapshot of the same size are refused") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    const std::string path = dir.path() + "/snapshot-0000000007";
    REQUIRE(write_snapshot(files, 7, 20'000, OrderState::paid));
    const std::string paid = read_file(path);
    REQUIRE(write_snapshot(files, 7, 20'000, OrderState::cancelled));
    const std::string cancelled = read_file(path);
    REQUIRE_EQ(paid.size(), cancelled.size());
    const size_t first_end =
        4096 + sealed_bytes(read_header(std::as_bytes(std::span(paid)).subspan(4096))->body_bytes);
    REQUIRE(first_end < paid.size());
    // All of them behind the header; the first of them in front of the others.
    for (const std::string& mixed :
         {paid.substr(0, 4096) + cancelled.substr(4096),
          paid.substr(0, 4096) + cancelled.substr(4096, first_end - 4096) +
              paid.substr(first_end)}) {
      std::ofstream(path, std::ios::binary | std::ios::trunc) << mixed;
      CHECK_FALSE(read_all(files, 7));
    }
    std::ofstream(path, std::ios::binary | std::ios::trunc) << paid;
    CHECK(read_all(files, 7));
  }

  TEST_CASE("a snapshot of another log or stream or number is refused") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    REQUIRE(write_snapshot(files, 7, 5));
    StreamFiles other = files;
    other.log_uuid.fill(9);
    CHECK_FALSE(read_snapshot_facts(other, 7));
    other = files;
    other.stream = 3;
    CHECK_FALSE(read_snapshot_facts(other, 7));
    std::filesystem::copy_file(dir.path() + "/snapshot-0000000007",
                               dir.path() + "/snapshot-0000000008");
    CHECK_FALSE(read_snapshot_facts(files, 8));
    CHECK(contains(read_snapshot_facts(files, 9).error().message, "missing"));
  }

  TEST_CASE("a snapshot of another version of the format is refused however sound it is") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    REQUIRE(write_snapshot(files, 7, 5));
    // The header is sealed anew: from its first 8 bytes, magic and version, and those behind the sum.
    Damage file(dir.path() + "/snapshot-0000000007");
    const auto seal_with = [&](uint32_t version) {
      file.put(4, {reinterpret_cast<const char*>(&version), sizeof version});
      const std::string header = file.get(0, 128);
      uint64_t seed;
      std::memcpy(&seed, header.data(), sizeof seed);
      const uint64_t sum = checksum(std::as_bytes(std::span(header)).subspan(kSummedFrom), seed);
      file.put(8, {reinterpret_cast<const char*>(&sum), sizeof sum});
    };
    seal_with(kFormatVersion);
    CHECK(read_all(files, 7));
    seal_with(kFormatVersion + 1);
    const Result<SnapshotFacts> read = read_all(files, 7);
    REQUIRE_FALSE(read);
    CHECK(contains(read.error().message, "version"));
  }

  TEST_CASE("a visitor that refuses a record ends the reading with its reason as damage") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    REQUIRE(write_snapshot(files, 7, 5));
    int visited = 0;
    const auto facts = read_snapshot(files, 7, [&](const Record&) -> Status {
      ++visited;
      return Error{"no such item"};
    });
    REQUIRE_FALSE(facts);
    CHECK(contains(facts.error().message, "no such item"));
    CHECK(facts.error().is_damage);
    CHECK_EQ(visited, 1);
  }

  TEST_CASE("an unfinished snapshot is never seen") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    {
      SnapshotWriter writer(files);
      REQUIRE(writer.begin(7));
      REQUIRE(writer.append(Forget{.order = {1}}));
      CHECK(list_snapshots(files)->empty());
    }
    CHECK(std::filesystem::is_empty(dir.path()));
  }

  TEST_CASE("the two newest snapshots are kept and say from where the log is needed") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    CHECK_EQ(*remove_old_snapshots(files), 0);
    REQUIRE(write_snapshot(files, 2, 1));
    CHECK_EQ(*remove_old_snapshots(files), 0);
    REQUIRE(write_snapshot(files, 10, 1));
    CHECK_EQ(*remove_old_snapshots(files), 2);
    REQUIRE(write_snapshot(files, 9, 1));
    REQUIRE(write_snapshot(files, 11, 1));
    CHECK_EQ(*remove_old_snapshots(files), 10);
    CHECK(*list_snapshots(files) == std::vector<uint32_t>{11, 10});
  }

  TEST_CASE("every kind of record can stand in a snapshot") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    SnapshotWriter writer(files);
    REQUIRE(writer.begin(1));
    for (const Record& record : sample_records())
      if (!std::holds_alternative<SegmentEnd>(record)) REQUIRE(writer.append(record));
    REQUIRE(writer.finish({.position = {.segment = 1}}));
    size_t visited = 0;
    REQUIRE(read_snapshot(files, 1, [&](const Record&) -> Status {
      ++visited;
      return Ok{};
    }));
    CHECK_EQ(visited, sample_records().size() - 1);
  }
}

}  // namespace
}  // namespace stampede::orderlog
