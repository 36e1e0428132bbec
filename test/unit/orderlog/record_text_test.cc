#include "orderlog/record_text.h"

#include "rig.h"

#include <doctest/doctest.h>

#include <string>

namespace stampede::orderlog {
namespace {

TEST_SUITE("orderlog/record_text") {
  TEST_CASE("every record is one line that begins with its name") {
    for (const Record& record : sample_records()) {
      const std::string text = text_of(record);
      CHECK(text.starts_with(std::string(name_of(type_of(record))) + " "));
      CHECK(text.find('\n') == std::string::npos);
    }
  }

  TEST_CASE("a reservation shows what an operator looks for") {
    CHECK_EQ(text_of(sample_reserve(9, "alice", "k-1")),
             "reserve order_id=00c000000002404d item=5 qty=2 amount=19800 currency=\"EUR\" "
             "user=\"alice\" "
             "key=\"k-1\" created=2026-11-18T11:06:40.000Z pay_before=2026-11-18T11:21:40.000Z");
  }

  TEST_CASE("no byte of a text reaches the terminal as a control character") {
    std::string title;
    for (int byte = 1; byte < 0x80; ++byte) title += static_cast<char>(byte);
    const std::string text = text_of(Item{.title = title});
    for (const char c : text) CHECK((c >= 0x20 && c != 0x7f));
    CHECK(text.find("\\x1b") != std::string::npos);
    CHECK(text_of(Item{.title = "a\xc2\x9b"
                                "31m\xff"})
              .find("\"a\\xc2\\x9b31m\\xff\"") != std::string::npos);
  }

  TEST_CASE("a batch shows its place and its records") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    write_log(files, 2);
    Reader reader(files, Position{});
    REQUIRE(reader.next(3));
    const auto batch = reader.next(6);
    REQUIRE((batch && batch->has_value()));
    CHECK(text_of(**batch).starts_with("batch seq=2 segment=1 offset=4096 body_bytes="));
    CHECK(text_of(**batch).find("records=3 first_lsn=4 last_lsn=6") != std::string::npos);
  }
}

}  // namespace
}  // namespace stampede::orderlog
