// A line a request, written by a thread of its own: what a line says, and that a full lane drops and counts.
#include "shard/access_log.h"

#include <unistd.h>

#include <filesystem>

#include "../../servers/scratch.h"

// Behind the headers of the server, whose CHECK means the other thing.
#include <doctest/doctest.h>

namespace stampede::shard {
namespace {

constexpr Moment kNow{.wall_ns = 1'795'000'000 * kSecond, .boot_ns = 1000 * kSecond};

Moment later(int64_t micros) {
  return {.wall_ns = kNow.wall_ns + micros * 1000, .boot_ns = kNow.boot_ns + micros * 1000};
}

struct Rig {
  servers::Scratch scratch;
  std::string path = scratch.path("access");
  Metrics metrics;
  std::unique_ptr<AccessLog> log = std::move(*AccessLog::open(path, 1));

  AccessTrace trace(uint32_t sample = 1) { return AccessTrace(log->lane(0), metrics, sample, 64); }
  // What is in the file when everything is written.
  std::string text() {
    log.reset();
    return servers::read_file(path);
  }
};

const http::Request kRequest{.method = http::Method::post, .path = "/v1/orders", .query = "a=b"};

TEST_SUITE("shard/access_log") {
  TEST_CASE("a line says when and what and how it went") {
    Rig rig;
    AccessTrace trace = rig.trace();
    Place place{};
    place.answer.verdict = Verdict::created;
    place.answer.has_order = true;
    place.answer.order.id = OrderId{0x0a1b2c3d4e5f6789};
    place.answer.order.user = UserText("alice");
    trace.end(trace.begin(kRequest, true, kNow), place, nullptr, 386, later(412));
    const TextAnswer text{.status = http::StatusCode::unavailable};
    trace.end(trace.begin({.method = http::Method::get, .path = "/readyz"}, false, kNow), place,
              &text, 12, later(5));
    CHECK(rig.text() ==
          "2026-11-18T11:06:40.000Z public POST /v1/orders?a=b 201 386 alice 0a1b2c3d4e5f6789 412\n"
          "2026-11-18T11:06:40.000Z admin GET /readyz 503 12 - - 5\n");
  }

  TEST_CASE("a target ends no line and steers no terminal") {
    Rig rig;
    AccessTrace trace = rig.trace();
    const http::Request hostile{.method = http::Method::get,
                                .path =
                                    "/v1/\xc2\x9b"
                                    "31m",
                                .query = "\xe7\xa5\xa8=\xff\x9b"};
    trace.end_unanswered(trace.begin(hostile, true, kNow), later(1));
    CHECK(rig.text() ==
          "2026-11-18T11:06:40.000Z public GET /v1/\\xc2\\x9b31m?\xe7\xa5\xa8=\\xff\\x9b - 0 - - "
          "1\n");
  }

  TEST_CASE("a client that goes before its answer leaves a line without a status") {
    Rig rig;
    AccessTrace trace = rig.trace();
    const uint32_t cell = trace.begin(kRequest, true, kNow);
    trace.set_user(cell, UserText("bob"));
    trace.end_unanswered(cell, later(1));
    CHECK(rig.text() == "2026-11-18T11:06:40.000Z public POST /v1/orders?a=b - 0 bob - 1\n");
  }

  TEST_CASE("a thread of its own writes what there is until it ends") {
    Rig rig;
    rig.log->start();
    AccessTrace trace = rig.trace();
    trace.end_unanswered(trace.begin(kRequest, true, kNow), later(1));
    CHECK(rig.text() == "2026-11-18T11:06:40.000Z public POST /v1/orders?a=b - 0 - - 1\n");
  }

  TEST_CASE("an owner without threads writes step by step") {
    Rig rig;
    AccessTrace trace = rig.trace();
    trace.end_unanswered(trace.begin(kRequest, true, kNow), later(1));
    CHECK(rig.log->step());
    CHECK(servers::read_file(rig.path) ==
          "2026-11-18T11:06:40.000Z public POST /v1/orders?a=b - 0 - - 1\n");
    CHECK(!rig.log->step());
  }

  TEST_CASE("a long target is cut") {
    Rig rig;
    AccessTrace trace = rig.trace();
    const std::string path = "/" + std::string(500, 'x');
    trace.end_unanswered(trace.begin({.method = http::Method::get, .path = path}, true, kNow),
                         kNow);
    CHECK(rig.text().find(" /" + std::string(AccessEntry::kTargetMax - 4, 'x') + "... - 0") !=
          std::string::npos);
  }

  TEST_CASE("one of every N requests is written") {
    Rig rig;
    AccessTrace trace = rig.trace(3);
    int written = 0;
    for (int i = 0; i < 9; ++i) {
      const uint32_t cell = trace.begin(kRequest, true, kNow);
      if (cell == kNone) continue;
      ++written;
      trace.end_unanswered(cell, kNow);
    }
    CHECK(written == 3);
  }

  TEST_CASE("a lane that is full drops lines and counts them") {
    Rig rig;
    Lane<AccessEntry> small(2);
    AccessTrace trace(small, rig.metrics, 1, 64);
    for (int i = 0; i < 5; ++i) trace.end_unanswered(trace.begin(kRequest, true, kNow), kNow);
    CHECK(rig.metrics.access_lines_dropped.get() == 3);
  }

  TEST_CASE("a file that cannot be made is an error that names it") {
    const auto opened = AccessLog::open("/nowhere/access", 1);
    REQUIRE(!opened);
    CHECK(opened.error().message.find("/nowhere/access") == 0);
  }

  TEST_CASE("whether a file can be opened is seen without making it") {
    const servers::Scratch scratch;
    const std::string file = scratch.path("log"), link = scratch.path("link");
    std::filesystem::create_symlink(file, link);
    for (const std::string& path : {file, link}) {
      CHECK(AccessLog::check(path));
      CHECK_FALSE(std::filesystem::exists(file));
    }
    REQUIRE(AccessLog::open(file, 1));
    CHECK(AccessLog::check(file));
    CHECK_FALSE(AccessLog::check("/tmp"));
    CHECK(AccessLog::check("/nowhere/a").error().message ==
          AccessLog::open("/nowhere/a", 1).error().message);
  }

  TEST_CASE("a log without a file drops its lines until it is opened again") {
    const servers::Scratch scratch;
    const std::string path = scratch.path("log");
    const std::unique_ptr<AccessLog> log = AccessLog::without_file(path, 1);
    REQUIRE(log->lane(0).push({}));
    CHECK_FALSE(log->step());
    CHECK_FALSE(std::filesystem::exists(path));
    log->reopen();
    CHECK_FALSE(log->step());
    REQUIRE(log->lane(0).push({}));
    CHECK(log->step());
    CHECK(std::filesystem::file_size(path) > 0);
  }
}

}  // namespace
}  // namespace stampede::shard
