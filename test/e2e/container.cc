// The topology of scripts/container/compose.yaml without containers: its files are what they should be, and two nodes with its
// configuration sell one stock and let Prometheus in.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "../servers/postgres_server.h"
#include "../servers/redis_server.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

namespace fs = std::filesystem;

// A secret, which its container's user alone may read.
void check_private(const std::string& path, uid_t user) {
  CAPTURE(path);
  struct stat facts {};
  REQUIRE(stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 077) == 0);
  if (geteuid() == 0) CHECK(facts.st_uid == user);
}

TEST_SUITE("e2e/container") {
  TEST_CASE("compose.yaml and prometheus.yml are YAML, and what compose.yaml mounts is there") {
    if (run({"python3", "-c", "import yaml"}).exit_code != 0) {
      MESSAGE("no python3-yaml: skipped");
      return;
    }
    const Scratch scratch;
    for (const char* const part : {"scripts", "contrib"})
      fs::copy(source_path(part), scratch.path(part), fs::copy_options::recursive);
    const std::string folder = scratch.path("scripts/container");
    REQUIRE(run({folder + "/prepare", stampede_path()}).exit_code == 0);
    const std::string keys = read_file(folder + "/made/etc/keys.json");
    const std::string tokens = read_file(folder + "/made/etc/tokens");
    REQUIRE(run({folder + "/prepare", stampede_path()}).exit_code == 0);
    CHECK(read_file(folder + "/made/etc/keys.json") == keys);
    CHECK(read_file(folder + "/made/etc/tokens") == tokens);
    check_private(folder + "/made/prometheus-token", 65534);
    for (const char* const secret : {"keys.json", "tokens"})
      check_private(folder + "/made/etc/" + secret, 999);
    const std::string look =
        "import os, sys, yaml\n"
        "services = yaml.safe_load(open('compose.yaml'))['services']\n"
        "assert {'node-0', 'node-1', 'redis', 'postgres', 'nginx', 'prometheus'} == set(services)\n"
        "jobs = yaml.safe_load(open('prometheus.yml'))['scrape_configs']\n"
        "targets = {t.split(':')[0] for t in jobs[0]['static_configs'][0]['targets']}\n"
        "assert targets <= set(services)\n"
        "rules = yaml.safe_load(open('prometheus.yml'))['rule_files']\n"
        "mounted = [m.split(':')[1] for m in services['prometheus']['volumes']]\n"
        "assert all('/etc/prometheus/' + rule in mounted for rule in rules), mounted\n"
        "for name, service in services.items():\n"
        "    for mount in service.get('volumes', []):\n"
        "        source = mount.split(':')[0]\n"
        "        assert not source.startswith('.') or os.path.exists(source), source\n";
    const Finished looked = run({"env", "--chdir=" + folder, "python3", "-c", look});
    CHECK_MESSAGE(looked.exit_code == 0, looked.err);
  }

  TEST_CASE("two nodes with the configuration of compose.yaml sell one stock") {
    const Scratch scratch;
    fs::copy(source_path("scripts"), scratch.path("scripts"), fs::copy_options::recursive);
    const std::string folder = scratch.path("scripts/container"), etc = folder + "/made/etc";
    REQUIRE(run({folder + "/prepare", stampede_path()}).exit_code == 0);
    servers::RedisServer redis{servers::RedisOptions{}};
    servers::PostgresServer& postgres = servers::PostgresServer::shared();
    const std::string database = postgres.url(postgres.create_database());
    // What differs from a container's: places and names.
    const auto options_of = [&](const std::string& node) {
      return ServerOptions{
          .catalog = catalog({{}}),
          .flags = {{"--config", etc + "/stampede.conf"},
                    {"--node", node},
                    {"--catalog", etc + "/catalog.json"},
                    {"--key-file", etc + "/keys.json"},
                    {"--admin-token-file", etc + "/tokens"},
                    {"--ledger", "redis://127.0.0.1:" + std::to_string(redis.port())},
                    {"--db", database}},
          .without = {"--auth", "--segment-bytes"}};
    };
    Server first(options_of("0")), second(options_of("1"));
    // The ledger opens when both have joined.
    for (Server* const node : {&first, &second})
      CHECK(wait_until([&] { return node->order({.user = "u", .key = "once"}).status < 300; }));
    const std::string token = read_file(folder + "/made/prometheus-token");
    for (Server* const node : {&first, &second}) {
      CHECK(node->admin().get("/metrics").status == 401);
      const Headers scrape = {{"Authorization", "Bearer " + token}};
      CHECK(node->admin().get("/metrics", scrape).status == 200);
      CHECK(node->terminate() == 0);
    }
  }
}

}  // namespace
}  // namespace stampede::e2e
