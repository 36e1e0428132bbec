// `stampede load --verify` proves a sale: exit 0 when every promise was kept, 1 when one was
// broken.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <sstream>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

Arguments load(const Server& server, int users) {
  return {"load",
          "--url",
          server.url(),
          "--item",
          "ticket",
          "--users",
          std::to_string(users),
          "--rate",
          "0",
          "--connections",
          "16",
          "--pipeline",
          "4",
          "--auth",
          "header",
          "--admin",
          server.admin_url(),
          "--db",
          "sqlite:" + server.database_path(),
          "--verify"};
}

TEST_SUITE("e2e/load_verifies") {
  TEST_CASE("a fair sale is verified") {
    for (int shards : {1, 2}) {
      Server server(
          {.catalog = catalog({{.stock = 1'000, .per_user_limit = 1}}), .shards = shards});
      Arguments command = load(server, 3'000);
      command.insert(command.end(), {"--json", server.scratch().path("report.json")});
      Finished finished = run_stampede(command);
      CAPTURE(finished.out);
      CAPTURE(finished.err);
      CHECK(finished.exit_code == 0);
      CHECK(server.books().reserved == 1'000);
      CHECK(Json::parse(read_file(server.scratch().path("report.json"))).is_object());
      server.check_books();
    }
  }

  TEST_CASE("a run that bought nothing proves nothing") {
    Server server({.catalog = catalog({{.stock = 10, .per_user_limit = 1}})});
    CHECK(run_stampede(load(server, 30)).exit_code == 0);
    const Finished late = run_stampede(load(server, 30));
    CAPTURE(late.out);
    CHECK(late.exit_code == 1);
    CHECK(late.err.find("nothing was sold, so nothing is verified") != std::string::npos);
  }

  TEST_CASE("an order that is not in the database is a broken promise") {
    Server server({.catalog = catalog({{.stock = 100, .per_user_limit = 1}})});
    {
      Database database(server.database_path(), true);
      REQUIRE(
          database.execute("create trigger lose after insert on orders when new.user_id like '%5' "
                           "begin delete from orders where order_id = new.order_id; end"));
    }
    Finished finished = run_stampede(load(server, 300));
    CAPTURE(finished.out);
    CHECK(finished.exit_code == 1);
    CHECK(finished.out.find("✗") != std::string::npos);
  }

  TEST_CASE("the acknowledged orders are written down as the database has them") {
    Server server({.catalog = catalog({{.stock = 100, .per_user_limit = 1}})});
    Arguments command = load(server, 300);
    const std::string file = server.scratch().path("acknowledged");
    command.insert(command.end(), {"--acknowledged", file, "--pay", "0.4", "--cancel", "0.2",
                                   "--key-file", server.scratch().path("keys.json")});
    const Finished finished = run_stampede(command);
    CAPTURE(finished.out);
    REQUIRE(finished.exit_code == 0);
    Database database(server.database_path());
    std::string rows;
    for (const auto& row :
         database.rows("select order_id, user_id, state from orders order by order_id"))
      rows += row[0] + '\t' + row[1] + '\t' + row[2] + '\n';
    std::istringstream lines(read_file(file));
    std::vector<std::string> sorted;
    for (std::string line; std::getline(lines, line);) sorted.push_back(line + '\n');
    std::sort(sorted.begin(), sorted.end());
    CHECK(sorted.size() >= 100);  // what was cancelled was sold again
    CHECK(std::accumulate(sorted.begin(), sorted.end(), std::string()) == rows);
    command[command.size() - 7] = "/no/such/folder/file";
    const Finished refused = run_stampede(command);
    CHECK(refused.exit_code == 1);
    CHECK(refused.err.find("--acknowledged") != std::string::npos);
  }

  TEST_CASE("an expectation that is not met has an exit code of its own") {
    Server server({.catalog = catalog({{.stock = 1'000}})});
    const auto expecting = [&](const std::string& expectation) {
      Arguments command = load(server, 100);
      command.insert(command.end(), {"--expect", "sold=100", "--expect", expectation});
      return run_stampede(command);
    };
    const Finished met = expecting("created:share=100%");
    CAPTURE(met.out);
    CHECK(met.exit_code == 0);
    CHECK(met.out.find("created:share=100%") != std::string::npos);
    const Finished missed = expecting("p50<1ns");
    CHECK(missed.exit_code == 3);
    CHECK(missed.err.find("an expectation was not met") != std::string::npos);
    const Finished wrong = expecting("p50<1");
    CHECK(wrong.exit_code == 2);
    CHECK(wrong.err.find("--expect: expected a time such as 5ms") != std::string::npos);
  }

  TEST_CASE("each second of a run has its line in the series") {
    Server server({.catalog = catalog({{.stock = 1'000}})});
    Arguments command = load(server, 600);
    const std::string series = server.scratch().path("series.csv"),
                      json = server.scratch().path("report.json");
    command.insert(command.end(), {"--rate", "300", "--series", series, "--json", json});
    command.erase(command.begin() + 7, command.begin() + 9);  // --rate 0
    const Finished finished = run_stampede(command);
    CAPTURE(finished.err);
    REQUIRE(finished.exit_code == 0);
    std::istringstream lines(read_file(series));
    std::string line;
    std::getline(lines, line);
    CHECK(line.starts_with("second,length_s,sent,"));
    int64_t sent = 0;
    while (std::getline(lines, line)) {
      const size_t field = line.find(',', line.find(',') + 1);
      sent += std::stoll(line.substr(field + 1));
    }
    CHECK(sent == 600);
    CHECK(Json::parse(read_file(json))["seconds_of_run"].size() >= 2);
    *std::find(command.begin(), command.end(), series) = "/no/such/folder/file";
    CHECK(run_stampede(command).err.find("--series") != std::string::npos);
  }

  TEST_CASE("a file that cannot be written costs no figure and hides no verdict") {
    Server server({.catalog = catalog({{.stock = 1'000}})});
    const std::string json = server.scratch().path("report.json");
    for (const std::string flag : {"--series", "--hdr", "--acknowledged"}) {
      CAPTURE(flag);
      write_file(json, "");
      Arguments command = load(server, 100);
      command.insert(command.end(), {flag, "/dev/full", "--json", json});
      const Finished finished = run_stampede(command);
      CHECK(finished.exit_code == 1);
      CHECK(finished.err.find(flag + ": /dev/full: No space left on device") != std::string::npos);
      CHECK(finished.out.find("throughput") != std::string::npos);
      CHECK(Json::parse(read_file(json))["verify"]["ok"].truth());
    }
    Arguments command = load(server, 100);
    command.insert(command.end(), {"--json", "/dev/full", "--expect", "sold=1"});
    const Finished finished = run_stampede(command);
    CHECK(finished.exit_code == 1);
    CHECK(finished.err.find("--json: /dev/full") != std::string::npos);
    CHECK(finished.out.find("throughput") != std::string::npos);
  }

  TEST_CASE("a crowd with wishes of many kinds is proven too") {
    Server server(
        {.catalog = catalog({{.code = "cup", .stock = 300}, {.code = "mug", .stock = 200}}),
         .shards = 2});
    Arguments command = load(server, 1'000);
    command.erase(command.begin() + 3, command.begin() + 5);  // --item ticket
    command.insert(command.end(), {"--item", "cup:2", "--item", "mug", "--qty", "1", "--qty",
                                   "2:0.5", "--page-views", "100", "--stock-polls", "200",
                                   "--expect", "page:count>0", "--expect", "stock:count>0"});
    const Finished finished = run_stampede(command);
    CAPTURE(finished.out);
    CAPTURE(finished.err);
    CHECK(finished.exit_code == 0);
    CHECK(server.books("cup").reserved == 300);
    CHECK(server.books("mug").reserved == 200);
    CHECK(run_stampede({"load", "--item", "a b"}).err.find("--item: expected 1 to 64 of") !=
          std::string::npos);
    CHECK(run_stampede({"load", "--qty", "1001"}).err.find("--qty: expected a whole number") !=
          std::string::npos);
    CHECK(run_stampede({"load", "--qty", "1:0"}).exit_code == 2);
  }

  TEST_CASE("a pace that makes no sense is named") {
    const std::vector<std::pair<Arguments, std::string>> wrongs{
        {{"--ramp", "5000"}, "--ramp: expected RATE:SECONDS"},
        {{"--ramp", "0:30"}, "--ramp: expected RATE:SECONDS"},
        {{"--ramp", "10:-1"}, "--ramp: expected RATE:SECONDS"},
        {{"--rate", "0", "--ramp", "10:1"}, "--ramp: expected a --rate above 0"},
        {{"--rate", "0", "--burst", "10"}, "--burst: expected a --rate above 0"},
        {{"--users", "3", "--threads", "4"}, "--threads: expected at most --users"},
        {{"--expect", "late:count=0"}, "--expect: expected a figure"},
        {{"--at", "tomorrow"}, "--at: expected a time such as"},
        {{"--at", "2020-01-01T00:00:00Z"}, "has passed"},
    };
    for (const auto& [flags, complaint] : wrongs) {
      Arguments command{"load"};
      command.insert(command.end(), flags.begin(), flags.end());
      const Finished finished = run_stampede(command);
      CAPTURE(finished.err);
      CHECK(finished.exit_code == 2);
      CHECK(finished.err.find(complaint) != std::string::npos);
    }
  }

  TEST_CASE("a server that is not there is a failure") {
    Server server({.catalog = catalog({{}})});
    Arguments command = load(server, 10);
    server.kill9();
    CHECK(run_stampede(command).exit_code == 1);
  }
}

}  // namespace
}  // namespace stampede::e2e
