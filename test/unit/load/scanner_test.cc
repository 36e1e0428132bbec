#include "load/scanner.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using stampede::load::kBodyBytesMax;
using stampede::load::kHeadBytesMax;
using stampede::load::Scan;
using stampede::load::scan_answer;

namespace {

std::string answer(const std::string& status, const std::string& body,
                   const std::string& fields = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) +
         "\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\n\r\n" + body;
}

const std::string kCreated = answer(
    "201 Created",
    R"({"order_id":"0a1b2c3d4e5f6789","item":"ticket","qty":1,"user":"u1","state":"reserved"})");
const std::string kReplayed =
    answer("200 OK", R"({"order_id":"0000000000000001","item":"ticket","replayed":true})");
const std::string kSoldOut =
    answer("409 Conflict", R"({"code":"sold_out","message":"gone","retryable":false})");
const std::string kTryAgain =
    answer("503 Service Unavailable",
           R"({"code":"try_again","message":"soon","retryable":true,"retry_after_ms":120})",
           "Retry-After: 1\r\n");

Scan::Result result_of(const std::string& bytes) {
  return scan_answer(bytes).result;
}

}  // namespace

TEST_SUITE("load/scanner") {
  TEST_CASE("a created order is read with its id") {
    Scan scan = scan_answer(kCreated);
    REQUIRE(scan.result == Scan::Result::complete);
    CHECK(scan.bytes == kCreated.size());
    CHECK(scan.reply.status == 201);
    CHECK(scan.reply.order_id == 0x0a1b2c3d4e5f6789);
    CHECK_FALSE(scan.reply.closes);
  }

  TEST_CASE("a replayed order is told from a new one") {
    Scan scan = scan_answer(kReplayed);
    REQUIRE(scan.result == Scan::Result::complete);
    CHECK(scan.reply.status == 200);
    CHECK(scan.reply.is_replayed);
    CHECK(scan.reply.order_id == 1);
  }

  TEST_CASE("a refusal is read with its code and whether to come back") {
    Scan scan = scan_answer(kSoldOut);
    REQUIRE(scan.result == Scan::Result::complete);
    CHECK(scan.reply.code == "sold_out");
    CHECK_FALSE(scan.reply.is_retryable);
    CHECK(scan.reply.retry_after_ms == 0);

    scan = scan_answer(kTryAgain);
    REQUIRE(scan.result == Scan::Result::complete);
    CHECK(scan.reply.code == "try_again");
    CHECK(scan.reply.is_retryable);
    CHECK(scan.reply.retry_after_ms == 120);
  }

  TEST_CASE("every answer cut at every byte waits for the rest") {
    for (const std::string& whole : {kCreated, kReplayed, kSoldOut, kTryAgain})
      for (size_t cut = 0; cut < whole.size(); ++cut) {
        INFO("cut at ", cut, " of ", whole);
        REQUIRE(result_of(whole.substr(0, cut)) == Scan::Result::need_more);
      }
  }

  TEST_CASE("pipelined answers are taken one at a time") {
    std::string both = kCreated + kSoldOut;
    Scan first = scan_answer(both);
    REQUIRE(first.bytes == kCreated.size());
    Scan second = scan_answer(std::string_view(both).substr(first.bytes));
    CHECK(second.result == Scan::Result::complete);
    CHECK(second.reply.code == "sold_out");
  }

  TEST_CASE("nothing behind an answer's end is read into it") {
    std::string bare = answer("500 Internal Server Error", "{}");
    std::string both = bare + kTryAgain;
    Scan scan = scan_answer(both);
    CHECK(scan.bytes == bare.size());
    CHECK(scan.reply.code.empty());
    CHECK_FALSE(scan.reply.is_retryable);
  }

  TEST_CASE("field names are read in any case and blanks around values are skipped") {
    std::string odd = "HTTP/1.1 409 Conflict\r\ncONTENT-lENGTH:  2 \r\nconnection: Close\r\n\r\n{}";
    Scan scan = scan_answer(odd);
    REQUIRE(scan.result == Scan::Result::complete);
    CHECK(scan.bytes == odd.size());
    CHECK(scan.reply.closes);
  }

  TEST_CASE("JSON with blanks is read too") {
    std::string spaced = answer("409 Conflict", R"({ "code" : "not_enough", "retryable" : true })");
    Scan scan = scan_answer(spaced);
    CHECK(scan.reply.code == "not_enough");
    CHECK(scan.reply.is_retryable);
  }

  TEST_CASE("whatever the server does not speak is malformed") {
    const std::vector<std::string> kBad = {
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 20x OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
    };
    for (const std::string& bad : kBad) {
      INFO(bad);
      CHECK(result_of(bad) == Scan::Result::malformed);
    }
  }

  TEST_CASE("heads and bodies have an end") {
    CHECK(result_of(std::string(kHeadBytesMax - 1, 'x')) == Scan::Result::need_more);
    CHECK(result_of(std::string(kHeadBytesMax, 'x')) == Scan::Result::malformed);
    CHECK(result_of(answer("200 OK", std::string(kBodyBytesMax, ' '))) == Scan::Result::complete);
    CHECK(result_of(answer("200 OK", std::string(kBodyBytesMax + 1, ' '))) ==
          Scan::Result::malformed);
  }

  TEST_CASE("an order id that is no id is none") {
    CHECK(scan_answer(answer("201 Created", R"({"order_id":"xyz"})")).reply.order_id == 0);
    CHECK(scan_answer(answer("201 Created", R"({"order_id":17})")).reply.order_id == 0);
    CHECK(scan_answer(answer("201 Created", R"({"order_id":")")).reply.order_id == 0);
  }
}
