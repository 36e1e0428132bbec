// SIGUSR2: another binary takes a running server's place. Its clients notice a pause and nothing else: no connection is refused,
// reset or closed, whatever it was in the middle of.
//
// ROUNDS: how many times in a row under load. HAND_OVER_PAUSES: a file for the pauses that the server speaks of, in ms.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

int rounds(int usual) {
  const char* text = std::getenv("ROUNDS");
  return text == nullptr ? usual : std::atoi(text);
}

// The line of the process that took over, when it is ready.
std::string await_successor(Server& server) {
  std::string pause;
  while (const auto line = server.process().read_line(kPatience)) {
    if (line->starts_with("took over")) pause = *line;
    if (*line == "ready") return pause;
  }
  return "";
}

std::string hand_over(Server& server) {
  server.process().signal(SIGUSR2);
  return await_successor(server);
}

size_t shards_of(Server& server) {
  return server.admin().get("/admin/status").json()["shards"].size();
}

// Both ways there are: the process becomes the other binary, or its keeper does.
std::vector<std::pair<std::string, std::string>> in_both_ways() {
  std::vector<std::pair<std::string, std::string>> flags;
  SUBCASE("alone") {}
  SUBCASE("in a sandbox") {
    flags = {{"--sandbox", ""}};
  }
  return flags;
}

// Buys one after the other on one connection that is never closed by anybody, or on a new one each time.
class Buyer {
 public:
  Buyer(Server& server, std::string name, bool keeps_connection)
      : name_(std::move(name)), http_(server.client()), keeps_connection_(keeps_connection) {}

  void run(const std::atomic<bool>& is_over) {
    while (!is_over.load()) buy();
  }
  std::string complaint;
  std::vector<std::string> orders;
  const std::string& name() const { return name_; }

 private:
  void buy() {
    const std::string user = name_ + "-" + std::to_string(++asked_);
    // Connects by hand: a client that found its connection closed would do so without a word.
    if (!http_.connected() && !http_.connect()) return complain("could not connect");
    if (!http_.send(order_request({.user = user}))) return complain("could not send");
    const Response response = http_.receive();
    if (response.status == 201)
      orders.push_back(user + " " + response.json()["order_id"].text());
    else if (response.status != 503)
      complain("status " + std::to_string(response.status) + " " + response.error);
    if (!keeps_connection_) http_.close();
  }
  void complain(const std::string& what) {
    if (complaint.empty()) complaint = name_ + ", request " + std::to_string(asked_) + ": " + what;
    http_.close();
  }

  const std::string name_;
  Http http_;
  const bool keeps_connection_;
  int asked_ = 0;
};

TEST_SUITE("e2e/hand_over") {
  TEST_CASE("no client is refused or reset while servers take each other's place under load") {
    Server server(
        {.catalog = catalog({{.stock = 10'000'000}}), .shards = 2, .flags = in_both_ways()});
    std::atomic<bool> is_over{false};
    std::vector<std::unique_ptr<Buyer>> buyers;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
      buyers.push_back(std::make_unique<Buyer>(server, "b" + std::to_string(i), i < 4));
    for (const auto& buyer : buyers) threads.emplace_back([&] { buyer->run(is_over); });
    const pid_t pid = server.process().pid();
    std::ofstream pauses;
    if (const char* path = std::getenv("HAND_OVER_PAUSES")) pauses.open(path);
    for (int round = 0; round < rounds(5); ++round) {
      const std::string pause = hand_over(server);
      CHECK_MESSAGE(pause.find("nobody was answered for") != std::string::npos, server.complaint());
      pauses << pause << std::endl;
    }
    is_over = true;
    for (std::thread& thread : threads) thread.join();
    CHECK(server.process().is_running());
    CHECK(server.process().pid() == pid);
    size_t sold = 0;
    for (const auto& buyer : buyers) {
      CHECK_MESSAGE(buyer->complaint.empty(), buyer->complaint);
      CHECK_MESSAGE(!buyer->orders.empty(), buyer->name());
      sold += buyer->orders.size();
      for (size_t i = 0; i < buyer->orders.size(); i += 1 + buyer->orders.size() / 20) {
        const std::string& order = buyer->orders[i];
        const size_t space = order.find(' ');
        CHECK(server.read(order.substr(0, space), order.substr(space + 1)).status == 200);
      }
    }
    CHECK(server.books().reserved == static_cast<int64_t>(sold));
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("a server whose binary was replaced before it was ready hands over to the new one") {
    Server server({.catalog = catalog({{}}), .starts = false});
    const std::string path = server.scratch().path("stampede");
    const std::string script = server.scratch().path("replaced");
    // The file that runs has lost its name to another when the process begins.
    write_file(script, "#!/bin/sh\ncp " + stampede_path() + " " + path + "\nexec 9<" + path +
                           "\nrm " + path + "\ncp " + stampede_path() + " " + path +
                           "\nexec /proc/self/fd/9 \"$@\"\n");
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    server.options().binary = script;
    server.options().flags = in_both_ways();
    server.start();
    CHECK(hand_over(server).find("nobody was answered for") != std::string::npos);
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("a server whose parent ignored the ends of its children hands over and stops") {
    Server server({.catalog = catalog({{}}), .starts = false});
    const std::string script = server.scratch().path("ignoring");
    write_file(script, "#!/bin/sh\nexec env --ignore-signal=CHLD " + stampede_path() + " \"$@\"\n");
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    server.options().binary = script;
    server.options().flags = in_both_ways();
    server.start();
    CHECK(hand_over(server).find("nobody was answered for") != std::string::npos);
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("whatever a connection is in the middle of it goes on") {
    const Scratch scratch;
    const std::string access_log = scratch.path("access.log");
    auto flags = in_both_ways();
    flags.emplace_back("--access-log", access_log);
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 2, .flags = flags});
    Http idle = server.client(), half = server.client(), operators_half(server.admin_address());
    REQUIRE(idle.get("/v1/time").status == 200);
    const std::string order = order_request({.user = "half"});
    REQUIRE(half.connect());
    REQUIRE(half.send(order.substr(0, order.size() / 2)));
    const std::string question = request_text("GET", "/healthz");
    REQUIRE(operators_half.connect());
    REQUIRE(operators_half.send(question.substr(0, 5)));
    // Its answer is owed: the hand-over brings it early.
    const std::string id = server.buy({.user = "poll"});
    Http poll = server.client();
    REQUIRE(poll.connect());
    REQUIRE(poll.send(
        request_text("GET", "/v1/orders/" + id + "?wait_ms=20000", {{"X-User-Id", "poll"}})));
    REQUIRE(wait_until([&] { return server.metric("stampede_watchers") == 1; }));
    const std::string pause = hand_over(server);
    CHECK(poll.receive().status == 200);
    CHECK(read_file(access_log).find(id + "?wait_ms=20000") != std::string::npos);
    CHECK(half.send(order.substr(order.size() / 2)));
    CHECK(half.receive().status == 201);
    CHECK(operators_half.send(question.substr(5)));
    CHECK(operators_half.receive().status == 200);
    for (Http* http : {&idle, &half, &poll}) {
      CHECK(http->connected());
      CHECK(http->send(request_text("GET", "/v1/time")));
      CHECK(http->receive().status == 200);
    }
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("a client that reads nothing holds nobody up") {
    Server server({.catalog = catalog({{}})});
    Http greedy = server.client();
    greedy.shrink_receive_buffer();
    REQUIRE(greedy.connect());
    std::string questions;
    for (int i = 0; i < 64; ++i) questions += request_text("GET", "/v1/items");
    while (greedy.send_some(questions, milliseconds{200}) > 0) continue;
    CHECK(hand_over(server).find("nobody was answered for") != std::string::npos);
    CHECK(server.http().get("/v1/time").status == 200);
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("it is the binary that a link in the path leads to now") {
    Server server({.catalog = catalog({{}}), .starts = false});
    namespace fs = std::filesystem;
    const std::string first = server.scratch().path("v1"), second = server.scratch().path("v2");
    const std::string current = server.scratch().path("current"), turned = current + ".new";
    for (const std::string& version : {first, second}) {
      fs::create_directory(version);
      fs::copy_file(stampede_path(), version + "/stampede");
    }
    fs::create_directory_symlink("v1", current);
    server.options().binary = current + "/stampede";
    server.options().flags = in_both_ways();
    server.start();
    fs::create_directory_symlink("v2", turned);
    fs::rename(turned, current);
    fs::remove_all(first);
    CHECK(hand_over(server).find("nobody was answered for") != std::string::npos);
    const std::string link = "/proc/" + std::to_string(server.process().pid()) + "/exe";
    CHECK(fs::read_symlink(link) == second + "/stampede");
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("it is the binary that lies at the path now with another number of shards") {
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 1, .starts = false});
    const std::string path = server.scratch().path("stampede"), fresh = path + ".new";
    const std::string config = server.scratch().path("stampede.conf");
    std::filesystem::copy_file(stampede_path(), path);
    write_file(config, "shards = 1\n");
    server.options().binary = path;
    server.options().without = {"--shards"};
    server.options().flags = in_both_ways();
    server.options().flags.emplace_back("--config", config);
    server.start();
    Http idle = server.client();
    REQUIRE(idle.get("/v1/time").status == 200);
    const std::string id = server.buy({.user = "alice"});
    const std::string link = "/proc/" + std::to_string(server.process().pid()) + "/exe";
    std::filesystem::copy_file(stampede_path(), fresh);
    std::filesystem::rename(fresh, path);  // as a package does
    CHECK(std::filesystem::read_symlink(link).string().ends_with("(deleted)"));
    write_file(config, "shards = 3\n");
    CHECK(hand_over(server).find("nobody was answered for") != std::string::npos);
    CHECK(std::filesystem::read_symlink(link) == path);
    CHECK(shards_of(server) == 3);
    CHECK(server.read("alice", id).status == 200);
    CHECK(idle.connected());
    CHECK(idle.get("/v1/time").status == 200);
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("the file of a Unix socket stays over a hand-over and goes with the last server") {
    const Scratch scratch;
    const std::string path = scratch.path("socket");
    Server server({.catalog = catalog({{}}), .flags = {{"--listen", "unix:" + path}}});
    CHECK(hand_over(server).find("nobody was answered for") != std::string::npos);
    CHECK(Http({.unix_path = path}).get("/v1/time").status == 200);
    CHECK(server.terminate() == 0);
    CHECK_FALSE(std::filesystem::exists(std::filesystem::symlink_status(path)));
  }

  TEST_CASE("a successor that would not start takes no place and the reason is said") {
    Server server({.catalog = catalog({{}}), .flags = in_both_ways()});
    const std::string path = server.scratch().path("keys.json"), sound = read_file(path);
    write_file(path, "no keys");
    server.process().signal(SIGUSR2);
    CHECK(server.says("not handed over, selling goes on: stampede serve: --key-file"));
    server.buy({.user = "alice"});
    write_file(path, sound);
    CHECK(hand_over(server).find("nobody was answered for") != std::string::npos);
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("a successor that could not write its access log takes no place") {
    const Scratch scratch;
    const std::string folder = scratch.path("logs");
    std::filesystem::create_directory(folder);
    auto flags = in_both_ways();
    flags.emplace_back("--access-log", folder + "/a");
    Server server({.catalog = catalog({{}}), .flags = flags});
    std::filesystem::remove_all(folder);
    server.process().signal(SIGUSR2);
    CHECK(server.says("not handed over, selling goes on: stampede serve: --access-log: " + folder));
    server.buy({.user = "alice"});
    std::filesystem::create_directory(folder);
    CHECK(hand_over(server).find("nobody was answered for") != std::string::npos);
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("an access log that is lost behind the check costs its lines and not the sale") {
    const Scratch scratch;
    const std::string folder = scratch.path("logs");
    std::filesystem::create_directory(folder);
    Server server({.catalog = catalog({{}}), .starts = false});
    const std::string path = server.scratch().path("stampede");
    std::filesystem::copy_file(stampede_path(), path);
    server.options().binary = path;
    server.options().flags = {{"--access-log", folder + "/a"}};
    server.start();
    // The folder goes between the check and the start.
    std::filesystem::remove(path);
    write_file(path, "#!/bin/sh\ncase \"$*\" in *--check*) " + stampede_path() +
                         " \"$@\"; code=$?; rm -r " + folder + "; exit $code;; esac\nexec " +
                         stampede_path() + " \"$@\"\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    CHECK(hand_over(server).find("nobody was answered for") != std::string::npos);
    CHECK(server.says("--access-log: " + folder));
    server.buy({.user = "alice"});
    std::filesystem::create_directory(folder);
    server.process().signal(SIGUSR1);
    CHECK(server.says("is opened again"));
    server.buy({.user = "bob"});
    CHECK(wait_until([&] { return read_file(folder + "/a").find(" bob ") != std::string::npos; }));
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("sockets that are passed on need no place of their own") {
    const Scratch scratch;
    const std::string folder = scratch.path("sockets");
    std::filesystem::create_directory(folder);
    auto flags = in_both_ways();
    flags.emplace_back("--listen", "unix:" + folder + "/s");
    Server server({.catalog = catalog({{}}), .flags = flags});
    std::filesystem::remove_all(folder);
    CHECK(hand_over(server).find("nobody was answered for") != std::string::npos);
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("in a sandbox only the keeper may ask the server for its place") {
    Server server({.catalog = catalog({{}}), .flags = {{"--sandbox", ""}}});
    REQUIRE(server.serving_pid() != server.process().pid());
    ::kill(server.serving_pid(), SIGUSR2);
    ::kill(server.serving_pid(), SIGHUP);
    CHECK(server.says("SIGHUP: read again"));
    CHECK(server.complaint().find("handing over") == std::string::npos);
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("a stop during a hand-over is a stop") {
    Server server({.catalog = catalog({{}}), .flags = in_both_ways()});
    server.process().signal(SIGUSR2);
    CHECK(server.says("handing over"));
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("a stop while the successor is asked is a stop") {
    Server server({.catalog = catalog({{}}), .flags = in_both_ways()});
    server.process().signal(SIGUSR2);
    CHECK(server.terminate() == 0);
  }
}

}  // namespace
}  // namespace stampede::e2e
