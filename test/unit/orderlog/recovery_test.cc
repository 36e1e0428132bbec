#include "orderlog/recovery.h"

#include "base/time_text.h"
#include "base/words.h"
#include "orderlog/directory.h"
#include "orderlog/preview.h"
#include "orderlog/snapshot.h"
#include "rig.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace stampede::orderlog {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool names_place(const std::string& message, const Position& position) {
  return contains(message, "segment " + std::to_string(position.segment) + " ") &&
         contains(message, "offset " + std::to_string(position.offset) + " ") &&
         contains(message, "sequence " + std::to_string(position.batch_seq));
}

// A log of some batches in small segments, and what recovery says of it.
struct Fixture {
  ScratchDir dir;
  StreamFiles files = small_files(dir.path());
  WrittenLog log;

  explicit Fixture(int batch_count, int records = 3) {
    log = write_log(files, batch_count, records);
  }

  // Fewer bytes to scan, for tests that recover some thousand times.
  void remove_ready_segments() {
    const Result<SegmentList> list = list_segments(files);
    REQUIRE(bool(list));
    for (const uint32_t segment : list->segments)
      if (segment > log.end.segment) std::filesystem::remove(files.segment_path(segment));
  }

  Damage damage(uint32_t segment = 1) { return Damage(files.segment_path(segment)); }
  RecoveryReport recover(bool is_read_only = true, std::vector<Witness> witnesses = {}) {
    Result<RecoveryReport> report = recover_log(files, is_read_only, std::move(witnesses));
    REQUIRE_MESSAGE(report, (report ? "" : report.error().message));
    return *report;
  }
};

TEST_SUITE("orderlog/recovery") {
  TEST_CASE("the table decides every combination") {
    for (const AtEnd at_end :
         {AtEnd::unused, AtEnd::former_life, AtEnd::remains, AtEnd::impossible})
      for (int bits = 0; bits < 16; ++bits) {
        const Evidence evidence{at_end, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0,
                                (bits & 8) != 0};
        const bool is_acknowledged_gone = bits != 0 || at_end == AtEnd::impossible;
        const RecoveryOutcome expected = is_acknowledged_gone       ? RecoveryOutcome::damaged
                                         : at_end == AtEnd::remains ? RecoveryOutcome::torn
                                                                    : RecoveryOutcome::clean;
        CHECK(judge(evidence) == expected);
      }
  }

  TEST_CASE("an empty directory is an empty log") {
    const ScratchDir dir;
    const RecoveryReport report = *recover_log(small_files(dir.path()));
    CHECK(report.outcome == RecoveryOutcome::clean);
    CHECK(report.end == Position{});
    CHECK_EQ(report.last_lsn, 0);
  }

  TEST_CASE("every record comes back in order and the writer goes on at the end") {
    Fixture fixture(20);
    std::vector<uint64_t> sequences;
    const RecoveryInput input{.files = fixture.files};
    const auto report =
        recover(input, [&](Lsn lsn, const Record& record, const Batch& batch) -> Status {
          CHECK(lsn >= batch.first_lsn());
          if (const auto* reserve = std::get_if<Reserve>(&record))
            sequences.push_back(reserve->order.sequence());
          return Ok{};
        });
    REQUIRE(report);
    CHECK(report->outcome == RecoveryOutcome::clean);
    CHECK(report->end == fixture.log.end);
    CHECK_EQ(report->batches, 20);
    CHECK_EQ(report->last_wall_ns, kNoon.wall_ns);
    CHECK_EQ(sequences.size(), 60);
    CHECK(std::is_sorted(sequences.begin(), sequences.end()));
    CHECK(fixture.log.end.segment > 1);

    const WrittenLog more = write_log(fixture.files, 2, 3, report->end);
    CHECK(fixture.recover().end == more.end);
  }

  TEST_CASE(
      "a log cut at any byte of its last batch loses that batch only and only if it is "
      "unfinished") {
    Fixture fixture(4, 40);  // batches of several blocks
    fixture.remove_ready_segments();
    const Position last = fixture.log.batches.back();
    Damage damage = fixture.damage();
    const std::string whole = damage.get(last.offset, fixture.log.end.offset - last.offset);
    const size_t used = whole.find_last_not_of('\0') + 1;
    for (size_t size = 0; size <= whole.size(); size += (size < 256 || size + 64 > used) ? 1 : 61) {
      INFO("cut after ", size, " bytes of ", whole.size());
      damage.put(last.offset, whole.substr(0, size) + std::string(whole.size() - size, '\0'));
      const RecoveryReport report = fixture.recover();
      CHECK(report.outcome != RecoveryOutcome::damaged);
      CHECK(report.end == (size >= used ? fixture.log.end : last));
      CHECK((report.outcome == RecoveryOutcome::torn) == (size > 0 && size < used));
    }
  }

  TEST_CASE("any sectors of the last batch may be missing") {
    Fixture fixture(3, 40);
    const Position last = fixture.log.batches.back();
    Damage damage = fixture.damage();
    const std::string whole = damage.get(last.offset, fixture.log.end.offset - last.offset);
    const size_t sectors = whole.size() / 512;
    const unsigned seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937_64 random(seed);
    for (int round = 0; round < 300; ++round) {
      std::string torn = whole;
      const uint64_t written = random() % ((uint64_t{1} << sectors) - 1);
      for (size_t i = 0; i < sectors; ++i)
        if (((written >> i) & 1) == 0) torn.replace(i * 512, 512, 512, '\0');
      if (torn == whole) continue;
      damage.put(last.offset, torn);
      const RecoveryReport report = fixture.recover();
      CHECK(report.outcome != RecoveryOutcome::damaged);
      CHECK(report.end == last);
    }
  }

  TEST_CASE("one bit flipped anywhere in a batch that others follow is refused with its place") {
    Fixture fixture(4, 2);
    fixture.remove_ready_segments();
    Damage damage = fixture.damage();
    const size_t used = kHeaderBytes + 2 * encoded_bytes(sample_reserve(1));
    for (size_t i = 0; i + 1 < fixture.log.batches.size(); ++i) {
      const Position& batch = fixture.log.batches[i];
      // Every bit of what was written, one bit of each byte of padding.
      for (size_t offset = 0; offset < bounds::log_block_bytes; ++offset)
        for (unsigned bit = 0; bit < 8; ++bit) {
          if (offset >= used && bit != offset % 8) continue;
          damage.flip(batch.offset + offset, bit);
          const RecoveryReport report = fixture.recover();
          damage.flip(batch.offset + offset, bit);
          if (report.outcome == RecoveryOutcome::damaged && names_place(report.message, batch))
            continue;
          FAIL_CHECK("batch ", i, " byte ", offset, " bit ", bit, ": ", report.message);
        }
    }
    CHECK(fixture.recover().outcome == RecoveryOutcome::clean);
  }

  TEST_CASE("a random bit flipped in a larger log of several segments is refused with its place") {
    Fixture fixture(40, 30);
    const unsigned seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937_64 random(seed);
    for (int round = 0; round < 300; ++round) {
      const size_t index = random() % (fixture.log.batches.size() - 1);
      const Position& batch = fixture.log.batches[index];
      const size_t used = kHeaderBytes + 30 * encoded_bytes(sample_reserve(1));
      const uint64_t offset = batch.offset + random() % used;
      const unsigned bit = random() % 8;
      Damage damage = fixture.damage(batch.segment);
      damage.flip(offset, bit);
      const RecoveryReport report = fixture.recover();
      damage.flip(offset, bit);
      INFO(report.message);
      CHECK(report.outcome == RecoveryOutcome::damaged);
      CHECK(names_place(report.message, batch));
    }
  }

  TEST_CASE("a bit flipped in the last batch cuts it when nobody has seen it") {
    Fixture fixture(3);
    const Position last = fixture.log.batches.back();
    fixture.damage().flip(last.offset + 200, 3);
    const RecoveryReport report = fixture.recover();
    CHECK(report.outcome == RecoveryOutcome::torn);
    CHECK(report.end == last);
    CHECK(names_place(report.message, last));
  }

  TEST_CASE("a bit flipped in the last batch is refused when a witness has seen it") {
    Fixture fixture(3);
    const Position last = fixture.log.batches.back();
    fixture.damage().flip(last.offset + 200, 3);
    const RecoveryReport seen = fixture.recover(false, {{"database", last.next_lsn}});
    CHECK(seen.outcome == RecoveryOutcome::damaged);
    CHECK(contains(seen.message, "database"));
    CHECK(fixture.recover(true, {{"database", last.next_lsn - 1}}).outcome ==
          RecoveryOutcome::torn);
  }

  TEST_CASE("a log that ends before what a witness has seen is an older copy") {
    Fixture fixture(3);
    const RecoveryReport report = fixture.recover(false, {{"ledger", 9}, {"database", 10}});
    CHECK(report.outcome == RecoveryOutcome::damaged);
    CHECK(contains(report.message, "the database has seen record 10"));
    const ScratchDir empty;
    const auto nothing = recover_log(small_files(empty.path()), true, {{"database", 1}});
    CHECK(nothing->outcome == RecoveryOutcome::damaged);
  }

  TEST_CASE("damage changes no file") {
    Fixture fixture(3);
    fixture.damage().flip(fixture.log.batches[1].offset + 150, 0);
    const std::string before = read_file(fixture.files.segment_path(1));
    CHECK(fixture.recover(false).outcome == RecoveryOutcome::damaged);
    CHECK(read_file(fixture.files.segment_path(1)) == before);
    for (const auto& entry : std::filesystem::directory_iterator(fixture.dir.path()))
      CHECK(entry.path().extension() == ".log");
  }

  TEST_CASE("a torn batch is kept beside the log and zeroed") {
    Fixture fixture(3, 40);
    const Position last = fixture.log.batches.back();
    const std::string whole =
        fixture.damage().get(last.offset, fixture.log.end.offset - last.offset);
    fixture.damage().put(last.offset + 4500, "x");
    const RecoveryReport report = fixture.recover(false);
    CHECK(report.outcome == RecoveryOutcome::torn);
    CHECK_EQ(report.torn_bytes, whole.find_last_not_of('\0') + 1);
    std::string torn = whole;
    torn[4500] = 'x';
    CHECK(read_file(report.torn_file) == torn.substr(0, report.torn_bytes));
    CHECK(contains(report.torn_file, "0000000001.log.torn-"));
    CHECK_EQ(fixture.damage().get(last.offset, whole.size()), std::string(whole.size(), '\0'));

    const RecoveryReport again = fixture.recover(false);
    CHECK(again.outcome == RecoveryOutcome::clean);
    CHECK(again.end == last);
  }

  TEST_CASE("a recovery that only reads and its repair are the same as a recovery that writes") {
    Fixture f(6);
    f.damage().flip(f.log.batches.back().offset + 200, 1);
    const RecoveryInput input{.files = f.files, .is_read_only = true};
    const auto visit = [](Lsn, const Record&, const Batch&) -> Status { return Ok{}; };
    Result<RecoveryReport> report = stampede::orderlog::recover(input, visit);
    REQUIRE(report);
    REQUIRE(report->outcome == RecoveryOutcome::torn);
    CHECK(report->torn_file.empty());
    REQUIRE(repair(input, *report));
    CHECK(std::filesystem::exists(report->torn_file));
    const Result<RecoveryReport> again = stampede::orderlog::recover(input, visit);
    REQUIRE(again);
    CHECK(again->outcome == RecoveryOutcome::clean);
    CHECK(again->end == report->end);
  }

  TEST_CASE("an earlier torn file is never overwritten") {
    Fixture fixture(2);
    fixture.damage().flip(fixture.log.batches.back().offset + 200, 1);
    const RecoveryReport first = fixture.recover(false);
    const std::string kept = read_file(first.torn_file);
    write_log(fixture.files, 1, 1, first.end);
    fixture.damage().flip(first.end.offset + 150, 1);
    const auto second = recover_log(fixture.files, false);
    CHECK_FALSE(second);
    CHECK(read_file(first.torn_file) == kept);
  }

  TEST_CASE("a batch of a former life behind a cut is not taken for the next one") {
    Fixture fixture(3);
    // Life A: batches 1, 2, 3. Batch 2 is lost and written anew by life B; A's batch 3 still lies
    // behind it.
    const Position second = fixture.log.batches[1];
    Damage damage = fixture.damage();
    const std::string third = damage.get(fixture.log.batches[2].offset, bounds::log_block_bytes);
    damage.put(second.offset, std::string(2 * bounds::log_block_bytes, '\0'));
    const WrittenLog life_b = write_log(fixture.files, 1, 4, second);
    damage.put(life_b.end.offset, third);
    const RecoveryReport report = fixture.recover();
    CHECK(report.outcome == RecoveryOutcome::clean);
    CHECK(report.end == life_b.end);
  }

  TEST_CASE("what a reused file held before is a clean end") {
    Fixture fixture(32, 40);  // several segments
    REQUIRE(fixture.log.end.segment >= 4);
    REQUIRE(fixture.log.end.offset > 0);
    // The first segment comes back as the one behind the last.
    const uint32_t next = fixture.log.end.segment + 1;
    std::filesystem::copy_file(fixture.files.segment_path(1), fixture.files.segment_path(next),
                               std::filesystem::copy_options::overwrite_existing);
    CHECK(fixture.recover().outcome == RecoveryOutcome::clean);
    // And as the one in use, from the end on.
    Damage current = fixture.damage(fixture.log.end.segment);
    const uint64_t end = fixture.log.end.offset;
    current.put(end, fixture.damage(1).get(end, kSmallSegment - end));
    const RecoveryReport report = fixture.recover();
    INFO(report.message);
    CHECK(report.outcome == RecoveryOutcome::clean);
    CHECK(report.end == fixture.log.end);
  }

  TEST_CASE("the middle of an old batch at the end of a reused file is a clean end") {
    Fixture fixture(32, 40);
    Damage current = fixture.damage(fixture.log.end.segment);
    const uint64_t end = fixture.log.end.offset;
    const uint64_t shift =
        bounds::log_block_bytes;  // batches of two blocks: now their second one comes first
    current.put(end, fixture.damage(1).get(end + shift, kSmallSegment - end - shift));
    REQUIRE(current.get(end, 100) != std::string(100, '\0'));
    const RecoveryReport report = fixture.recover();
    INFO(report.message);
    CHECK(report.outcome == RecoveryOutcome::clean);
    CHECK(report.end == fixture.log.end);
  }

  TEST_CASE("a damaged header at the end of a reused file is kept as torn") {
    Fixture fixture(32, 40);
    Damage current = fixture.damage(fixture.log.end.segment);
    const uint64_t end = fixture.log.end.offset;
    current.put(end, fixture.damage(1).get(end, kSmallSegment - end));
    const Position& last = fixture.log.batches.back();
    REQUIRE(last.segment == fixture.log.end.segment);
    for (const uint64_t byte : {0, 4, 8, 16, 40, 127}) {
      current.flip(last.offset + byte, 2);
      CHECK(fixture.recover().outcome == RecoveryOutcome::torn);
      CHECK(fixture.recover().end == last);
      current.flip(last.offset + byte, 2);
    }
  }

  TEST_CASE("impossible lengths in a header with a right sum are refused without reading them") {
    Fixture fixture(3);
    Damage damage = fixture.damage();
    const Position second = fixture.log.batches[1];
    for (const uint32_t length :
         {0u, 7u, 1u << 20, (1u << 20) - 128 + 1, 0x7fffffffu, 0x80000000u, ~0u}) {
      INFO(length);
      BatchHeader header;
      std::memcpy(&header, damage.get(second.offset, kHeaderBytes).data(), kHeaderBytes);
      header.body_bytes = length;
      header.header_sum = header_sum_of(header);
      damage.put(second.offset, {reinterpret_cast<const char*>(&header), kHeaderBytes});
      const RecoveryReport report = fixture.recover();
      CHECK(report.outcome == RecoveryOutcome::damaged);
      CHECK(names_place(report.message, second));
    }
  }

  TEST_CASE("a segment missing in the middle is refused") {
    Fixture fixture(30, 40);
    std::filesystem::remove(fixture.files.segment_path(2));
    const RecoveryReport report = fixture.recover(false);
    CHECK(report.outcome == RecoveryOutcome::damaged);
    CHECK(contains(report.message, "0000000002.log is missing"));
  }

  TEST_CASE("the first segment missing is refused") {
    Fixture fixture(30, 40);
    std::filesystem::remove(fixture.files.segment_path(1));
    CHECK(fixture.recover().outcome == RecoveryOutcome::damaged);
  }

  TEST_CASE("a second file with the number of a segment is refused") {
    Fixture fixture(3);
    std::filesystem::copy_file(fixture.files.segment_path(1), fixture.dir.path() + "/1.log");
    const RecoveryReport report = fixture.recover();
    CHECK(report.outcome == RecoveryOutcome::damaged);
    CHECK(contains(report.message, "/1.log"));
  }

  TEST_CASE("two segments that changed places are refused") {
    Fixture fixture(30, 40);
    const std::string one = fixture.files.segment_path(1), two = fixture.files.segment_path(2);
    std::filesystem::rename(one, one + "x");
    std::filesystem::rename(two, one);
    std::filesystem::rename(one + "x", two);
    CHECK(fixture.recover().outcome == RecoveryOutcome::damaged);
  }

  TEST_CASE("a segment shorter or longer than the others is refused") {
    Fixture fixture(30, 40);
    for (const size_t size : {size_t{0}, kSmallSegment - 1, kSmallSegment + 4096}) {
      std::filesystem::resize_file(fixture.files.segment_path(2), size);
      const RecoveryReport report = fixture.recover();
      CHECK(report.outcome == RecoveryOutcome::damaged);
      CHECK(contains(report.message, "0000000002.log has " + counted(size, "byte")));
    }
  }

  TEST_CASE("a log of another directory or another stream is refused") {
    Fixture fixture(3);
    StreamFiles other = fixture.files;
    other.log_uuid.fill(0xcd);
    CHECK(contains(recover_log(other)->message, "another log"));
    CHECK(recover_log(other)->outcome == RecoveryOutcome::damaged);
    other = fixture.files;
    other.stream = 2;
    CHECK(contains(recover_log(other)->message, "another stream"));
    CHECK(recover_log(other)->outcome == RecoveryOutcome::damaged);
  }

  TEST_CASE("a segment of another stream behind the end is refused") {
    Fixture fixture(3);
    const ScratchDir elsewhere;
    StreamFiles other = small_files(elsewhere.path());
    other.stream = 2;
    write_log(other, 2);
    std::filesystem::copy_file(other.segment_path(1), fixture.files.segment_path(2),
                               std::filesystem::copy_options::overwrite_existing);
    CHECK(fixture.recover().outcome == RecoveryOutcome::damaged);
  }

  TEST_CASE("nothing is looked for behind an end that is known and all of it behind another") {
    Fixture fixture(3);
    // What a batch later than the end looks like; nobody can have written it behind an orderly stop.
    const ScratchDir elsewhere;
    const StreamFiles longer = small_files(elsewhere.path());
    const WrittenLog more = write_log(longer, 5);
    REQUIRE(more.batches[4].segment == 1);
    const std::string bytes = read_file(longer.segment_path(1));
    fixture.damage().put(more.batches[4].offset + bounds::log_block_bytes,
                         bytes.substr(more.batches[4].offset, bounds::log_block_bytes));
    CHECK(fixture.recover().outcome == RecoveryOutcome::damaged);
    note_log_end(fixture.files.known, fixture.log.end);
    CHECK(fixture.recover().outcome == RecoveryOutcome::damaged);
    fixture.files.known.is_at_rest = true;
    CHECK(fixture.recover().outcome == RecoveryOutcome::clean);
    SUBCASE("a witness has seen more") {
      CHECK(fixture.recover(true, {{"database", fixture.log.end.next_lsn}}).outcome ==
            RecoveryOutcome::damaged);
    }
    SUBCASE("the log goes on behind it") {
      note_log_end(fixture.files.known, fixture.log.batches[2]);
      CHECK(fixture.recover().outcome == RecoveryOutcome::damaged);
    }
    SUBCASE("it ends with another batch") {
      fixture.files.known.chain ^= 1;
      CHECK(fixture.recover().outcome == RecoveryOutcome::damaged);
    }
    SUBCASE("the next segment is of another log") {
      StreamFiles other = fixture.files;
      other.stream = 2;
      other.known = {};
      const ScratchDir others;
      other.dir = others.path();
      write_log(other, 2);
      std::filesystem::copy_file(other.segment_path(1), fixture.files.segment_path(2),
                                 std::filesystem::copy_options::overwrite_existing);
      CHECK(fixture.recover().outcome == RecoveryOutcome::damaged);
    }
  }

  TEST_CASE("a log that was at rest ends nowhere else") {
    Fixture fixture(3);
    const Position& second = fixture.log.batches[1];
    const auto known_at = [&](const Position& end) {
      fixture.files.known = {.is_at_rest = true};
      note_log_end(fixture.files.known, end);
    };
    known_at(fixture.log.end);
    CHECK(fixture.recover().outcome == RecoveryOutcome::clean);
    SUBCASE("it has gone on") {
      known_at(second);
    }
    SUBCASE("it ends with another batch, of which none is read") {
      fixture.files.known.chain ^= 1;
      const RecoveryInput input{
          .files = fixture.files, .start = fixture.log.end, .is_read_only = true};
      const auto report =
          recover(input, [](Lsn, const Record&, const Batch&) -> Status { return Ok{}; });
      REQUIRE(report);
      CHECK(report->outcome == RecoveryOutcome::damaged);
    }
    const RecoveryReport report = fixture.recover();
    INFO(report.message);
    CHECK(report.outcome == RecoveryOutcome::damaged);
    fixture.files.known.is_at_rest = false;
    known_at(second);
    fixture.files.known.is_at_rest = false;
    CHECK(fixture.recover().outcome == RecoveryOutcome::clean);
  }

  // Readable again it would lead past all that was written since.
  TEST_CASE("behind an accepted loss no snapshot of the lost history keeps its name") {
    Fixture fixture(30, 40);
    const Position& broken = fixture.log.batches[5];
    fixture.damage(broken.segment).flip(broken.offset + 300, 0);
    for (const uint32_t segment : {2u, 3u})
      std::ofstream(snapshot_path(fixture.files, segment)) << "not readable";
    RecoveryInput input{.files = fixture.files,
                        .is_read_only = true,
                        .accepts_loss = true,
                        .wall_ns = kNoon.wall_ns};
    const auto visit = [](Lsn, const Record&, const Batch&) -> Status { return Ok{}; };
    Result<RecoveryReport> report = recover(input, visit);
    REQUIRE(report);
    REQUIRE(report->outcome == RecoveryOutcome::torn);
    CHECK(list_snapshots(fixture.files)->size() == 2);
    // They go before anything is cut.
    const std::string torn = fixture.files.segment_path(broken.segment) + ".torn-" +
                             std::string(TimeText(input.wall_ns / kMillisecond).view());
    std::filesystem::create_directory(torn);
    CHECK_FALSE(repair(input, *report));
    CHECK(list_snapshots(fixture.files)->empty());
    std::filesystem::remove(torn);
    input.is_read_only = false;
    report = recover(input, visit);
    REQUIRE(report);
    CHECK(report->end == broken);
    int damaged = 0;
    for (const auto& entry : std::filesystem::directory_iterator(fixture.dir.path()))
      damaged += contains(entry.path(), ".damaged-");
    CHECK(damaged == 2);
  }

  TEST_CASE("a snapshot that is passed over keeps its name while nothing is lost") {
    Fixture fixture(3);
    std::ofstream(snapshot_path(fixture.files, 2)) << "not readable";
    fixture.damage().flip(fixture.log.batches.back().offset + 200, 3);
    CHECK(fixture.recover(false).outcome == RecoveryOutcome::torn);
    CHECK(list_snapshots(fixture.files)->size() == 1);
  }

  TEST_CASE("every record is shown once before its visit and not too long before") {
    Fixture fixture(3, 50);
    Lsn shown = 0, visited = 0;
    const RecoveryInput input{.files = fixture.files,
                              .is_read_only = true,
                              .preview = [&](Lsn lsn, const Record&) { CHECK(lsn == ++shown); }};
    const auto report = recover(input, [&](Lsn lsn, const Record&, const Batch&) -> Status {
      CHECK(lsn == ++visited);
      CHECK(shown >= visited);
      CHECK(shown < visited + kPreviewRecords);
      return Ok{};
    });
    REQUIRE(bool(report));
    CHECK(visited == 150);
    CHECK(shown == 150);
  }

  TEST_CASE("a log of a newer version is refused as such") {
    Fixture fixture(3);
    Damage damage = fixture.damage();
    for (const Position& batch : {fixture.log.batches[0], fixture.log.batches[2]}) {
      const std::string before = damage.get(batch.offset, kHeaderBytes);
      BatchHeader header;
      std::memcpy(&header, before.data(), kHeaderBytes);
      header.version = kFormatVersion + 1;
      header.header_sum = header_sum_of(header);
      damage.put(batch.offset, {reinterpret_cast<const char*>(&header), kHeaderBytes});
      const RecoveryReport report = fixture.recover();
      CHECK(report.outcome == RecoveryOutcome::damaged);
      CHECK(contains(report.message, "another version"));
      damage.put(batch.offset, before);
    }
  }

  TEST_CASE("a record that cannot follow is refused with its number") {
    Fixture fixture(3);
    const RecoveryInput input{.files = fixture.files};
    const auto report = recover(input, [](Lsn lsn, const Record&, const Batch&) -> Status {
      if (lsn == 5) return Error{"the pool would be negative"};
      return Ok{};
    });
    REQUIRE(report);
    CHECK(report->outcome == RecoveryOutcome::damaged);
    CHECK(names_place(report->message, fixture.log.batches[1]));
    CHECK(contains(report->message, "record 5: the pool would be negative"));
  }

  TEST_CASE("a start behind the beginning reads only what follows") {
    Fixture fixture(10);
    RecoveryInput input{.files = fixture.files, .start = fixture.log.batches[6]};
    Lsn first = 0;
    const auto report = recover(input, [&](Lsn lsn, const Record&, const Batch&) -> Status {
      if (first == 0) first = lsn;
      return Ok{};
    });
    REQUIRE(report);
    CHECK_EQ(first, fixture.log.batches[6].next_lsn);
    CHECK(report->end == fixture.log.end);
    CHECK_EQ(report->batches, 4);
    // A position that this log never had: its chain tells.
    input.start.prev_chain ^= 1;
    const auto wrong =
        recover(input, [](Lsn, const Record&, const Batch&) -> Status { return Ok{}; });
    CHECK(wrong->outcome == RecoveryOutcome::damaged);
  }

  TEST_CASE("segments behind the start may be gone") {
    Fixture fixture(30, 40);
    const auto begins_segment_3 = [](const Position& p) { return p.segment == 3 && p.offset == 0; };
    const auto third =
        std::find_if(fixture.log.batches.begin(), fixture.log.batches.end(), begins_segment_3);
    REQUIRE(third != fixture.log.batches.end());
    std::filesystem::remove(fixture.files.segment_path(1));
    std::filesystem::remove(fixture.files.segment_path(2));
    const RecoveryInput input{.files = fixture.files, .start = *third};
    const auto report =
        recover(input, [](Lsn, const Record&, const Batch&) -> Status { return Ok{}; });
    CHECK(report->outcome == RecoveryOutcome::clean);
    CHECK(report->end == fixture.log.end);
    CHECK(*oldest_position(fixture.files) == *third);
  }

  TEST_CASE(
      "an operator who accepts the loss goes on in front of the damage and everything is kept") {
    Fixture fixture(30, 40);
    const Position& broken = fixture.log.batches[5];
    fixture.damage(broken.segment).flip(broken.offset + 300, 0);
    const RecoveryInput input{
        .files = fixture.files, .accepts_loss = true, .wall_ns = kNoon.wall_ns};
    const auto report =
        recover(input, [](Lsn, const Record&, const Batch&) -> Status { return Ok{}; });
    REQUIRE(report);
    CHECK(report->outcome == RecoveryOutcome::torn);
    CHECK(report->end == broken);
    CHECK(names_place(report->message, broken));
    CHECK_EQ(list_segments(fixture.files)->segments.size(), broken.segment);
    const WrittenLog more = write_log(fixture.files, 20, 40, report->end);
    CHECK(fixture.recover().end == more.end);
  }

  TEST_CASE("a loss whose acceptance was cut short among its segments can be accepted again") {
    Fixture fixture(30, 40);
    const Position& broken = fixture.log.batches[1];
    REQUIRE(broken.segment == 1);
    fixture.damage().flip(broken.offset + 300, 0);
    RecoveryInput input{.files = fixture.files,
                        .is_read_only = true,
                        .accepts_loss = true,
                        .wall_ns = kNoon.wall_ns};
    const auto visit = [](Lsn, const Record&, const Batch&) -> Status { return Ok{}; };
    Result<RecoveryReport> report = recover(input, visit);
    REQUIRE(report);
    const std::vector<uint32_t>& aside = report->segments_aside;
    REQUIRE(aside.size() >= 3);
    // The first rename succeeds, wherever it begins, and the one behind it does not.
    std::vector<std::string> blocks;
    for (size_t i = 1; i + 1 < aside.size(); ++i)
      blocks.push_back(fixture.files.segment_path(aside[i]) + ".torn-" +
                       std::string(TimeText(input.wall_ns / kMillisecond).view()));
    for (const std::string& block : blocks) std::filesystem::create_directory(block);
    CHECK_FALSE(repair(input, *report));
    CHECK_EQ(list_segments(fixture.files)->segments.size(), aside.size());  // and the broken one
    for (const std::string& block : blocks) std::filesystem::remove(block);

    input.is_read_only = false;
    report = recover(input, visit);
    REQUIRE(report);
    INFO(report->message);
    CHECK(report->outcome == RecoveryOutcome::torn);
    CHECK(report->end == broken);
    CHECK_EQ(list_segments(fixture.files)->segments.size(), broken.segment);
  }

  TEST_CASE("times of files do not matter") {
    Fixture fixture(10);
    namespace fs = std::filesystem;
    for (const auto& entry : fs::directory_iterator(fixture.dir.path()))
      fs::last_write_time(entry.path(),
                          fs::file_time_type::clock::now() - std::chrono::hours(10'000));
    CHECK(fixture.recover().end == fixture.log.end);
  }

  TEST_CASE("a segment that may not be read is damage with its name and no empty log") {
    Fixture fixture(3);
    const ChildEnd end = run_in_child([&] {
      std::filesystem::permissions(fixture.dir.path(), std::filesystem::perms(0755));
      std::filesystem::permissions(fixture.files.segment_path(1), std::filesystem::perms::none);
      if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) _exit(1);  // nobody
      const auto report = recover_log(fixture.files);
      std::fputs(report ? report->message.c_str() : "", stderr);
      _exit(report && report->outcome == RecoveryOutcome::damaged ? 0 : 2);
    });
    CHECK_EQ(end.exit_code, 0);
    CHECK(contains(end.text, fixture.files.segment_path(1) + ": Permission denied"));
  }

  TEST_CASE("a directory that cannot be read is damage and no empty log") {
    const ScratchDir dir;
    const auto report = recover_log(small_files(dir.path() + "/none"));
    REQUIRE(report);
    CHECK(report->outcome == RecoveryOutcome::damaged);
    CHECK(contains(report->message, "/none"));
  }
}

}  // namespace
}  // namespace stampede::orderlog
