// A data directory of a newer version, another machine or another node is refused with what to do,
// and stays as it is.

#include <doctest/doctest.h>
#include <algorithm>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

// A stopped server whose manifest is changed line by line.
struct Stopped {
  Server server{{.catalog = catalog({{}}), .shards = 1}};
  std::string id = server.buy({.user = "u1"});
  std::string path = server.data() + "/manifest", text;

  Stopped() {
    REQUIRE(server.terminate() == 0);
    text = read_file(path);
    REQUIRE(!text.empty());
  }

  std::string with_line(const std::string& key, const std::string& line) const {
    size_t at = text.find("\n" + key + " = ");
    REQUIRE(at != std::string::npos);
    size_t end = text.find('\n', at + 1);
    return text.substr(0, at + 1) + line + text.substr(end);
  }

  void check_refused(const std::string& manifest, const std::string& hint) {
    write_file(path, manifest);
    int exit_code = server.start_and_fail();
    CHECK(exit_code > 0);
    CHECK(exit_code < 128);
    std::string complaint = server.complaint();
    CAPTURE(complaint);
    CHECK(complaint.find(hint) != std::string::npos);
    CHECK(std::count(complaint.begin(), complaint.end(), '\n') == 1);
    CHECK(read_file(path) == manifest);
  }

  void check_goes_on() {
    write_file(path, text);
    server.start();
    CHECK(server.state_of("u1", id) == "reserved");
    server.check_books();
  }
};

TEST_SUITE("e2e/foreign_data_directory") {
  TEST_CASE("a log of a newer version is refused") {
    Stopped stopped;
    stopped.check_refused(stopped.with_line("format_version", "format_version = 9999"), "9999");
    stopped.check_goes_on();
  }

  TEST_CASE("a directory of another machine is refused with what to do") {
    Stopped stopped;
    if (stopped.text.find("\nmachine_id = ") == std::string::npos) {
      MESSAGE("this machine has no id: skipped");
      return;
    }
    stopped.check_refused(stopped.with_line("machine_id", "machine_id = 00ff"), "machine");
    stopped.text = stopped.with_line("machine_id", "");
    stopped.check_goes_on();
  }

  TEST_CASE("a directory of another node is refused") {
    Stopped stopped;
    stopped.server.options().flags = {{"--node", "7"}};
    stopped.check_refused(stopped.text, "node");
    stopped.server.options().flags = {};
    stopped.check_goes_on();
  }

  TEST_CASE("a broken manifest is refused") {
    Stopped stopped;
    stopped.check_refused("", "manifest");
    stopped.check_refused(stopped.text.substr(0, stopped.text.size() / 2), "manifest");
    stopped.check_refused(stopped.with_line("shard_count", "shard_count = many"),
                          "manifest: its checksum");
    stopped.check_refused(stopped.text + "surprise = 1\n", "manifest: its checksum");
    stopped.check_goes_on();
  }
}

}  // namespace
}  // namespace stampede::e2e
