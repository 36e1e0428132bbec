// The guards of these tests catch what they are there to catch: an answer that breaks the
// contract's frame is noticed, whatever the test was looking at.
#include <doctest/doctest.h>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

const std::string kDate = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
                  kType = "Content-Type: application/json\r\n", kLength = "Content-Length: 2\r\n",
                  kOk = "HTTP/1.1 200 OK\r\n";

std::string problem_of(const std::string& head) {
  Response response;
  return read_head(head + "\r\n", &response);
}

TEST_SUITE("e2e/the_harness_is_strict") {
  TEST_CASE("a whole answer is taken") {
    CHECK(problem_of(kOk + kType + kLength + kDate) == "");
    CHECK(problem_of("HTTP/1.1 100 Continue\r\n") == "");
  }

  TEST_CASE("an answer without one of the three fields is noticed") {
    CHECK(problem_of(kOk + kLength + kDate) == "not exactly one Content-Type");
    CHECK(problem_of(kOk + kType + kDate) == "not exactly one Content-Length");
    CHECK(problem_of(kOk + kType + kLength) == "not exactly one Date");
  }

  TEST_CASE("a 304 needs no type and no length but a date") {
    CHECK(problem_of("HTTP/1.1 304 Not Modified\r\n" + kDate) == "");
    CHECK(problem_of("HTTP/1.1 304 Not Modified\r\n") == "not exactly one Date");
  }

  TEST_CASE("a field that stands twice is noticed") {
    CHECK(problem_of(kOk + kType + kLength + kLength + kDate) == "not exactly one Content-Length");
    CHECK(problem_of(kOk + kType + kLength + kDate + kDate) == "not exactly one Date");
  }

  TEST_CASE("values that are none are noticed") {
    CHECK(problem_of(kOk + kType + kLength + "Date: 2026-12-01\r\n") == "Date is not a date");
    CHECK(problem_of(kOk + kType + "Content-Length: 2x\r\n" + kDate) ==
          "Content-Length is not a number");
    CHECK(problem_of(kOk + "Content-Type: \r\n" + kLength + kDate) == "Content-Type is empty");
  }

  TEST_CASE("what is no HTTP/1.1 is noticed") {
    for (std::string line :
         {"HTTP/1.0 200 OK\r\n", "HTTP/1.1 200\r\n", "HTTP/1.1 2x0 OK\r\n", "200 OK\r\n"})
      CHECK(problem_of(line + kType + kLength + kDate) == "malformed answer");
    CHECK(problem_of(kOk + "no colon\r\n" + kType + kLength + kDate) == "malformed answer");
  }

  TEST_CASE("a process that dies by a signal does not look like a clean stop") {
    CHECK(run({"sh", "-c", "kill -9 $$"}).exit_code == 128 + 9);
    CHECK(run({"sh", "-c", "exit 3"}).exit_code == 3);
    CHECK(run({"sleep", "60"}, milliseconds{50}).exit_code == -1);
  }

  TEST_CASE("signatures and tickets are what the contract describes") {
    // Computed apart, with Python's hmac and hashlib.
    CHECK(signature_at("{}", 1'700'000'000) ==
          "t=1700000000,v1=509aeef017edde92d70e6128f7afb84777b8f98164f64eec0d0378b2efeb70c4");
    CHECK(ticket_until("u1", 1'700'000'000) ==
          "v1.dTE.1700000000.k1.9r3ambTITfdBmJSVdvCySWAo7DYE_0LWejdsIMB0D-4");
  }
}

}  // namespace
}  // namespace stampede::e2e
