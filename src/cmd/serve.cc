// `stampede serve`: flags, signals, and what the operator reads while it starts and stops. The server itself is put
// together in node/node.cc.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "base/diag.h"
#include "base/progress.h"
#include "base/thread.h"
#include "base/words.h"
#include "cluster/redis_client.h"
#include "cmd/hardening.h"
#include "cmd/process.h"
#include "cmd/reload.h"
#include "cmd/serve_flags.h"
#include "cmd/serve_settings.h"
#include "cmd/service.h"
#include "node/node.h"

namespace stampede::cmd {
namespace {

// timeout, sudo and some supervisors signal the process and its group as well: one wish to stop arrives as two signals.
constexpr int64_t kOneWishNs = kSecond / 2;

std::string url_of(const net::Address& address) {
  const std::string text = net::text_of(address);
  return address.family == net::Address::Family::unix_path ? text : "http://" + text;
}

// What curl is told to reach a listener by.
std::string curl_target_of(const net::Address& address) {
  const bool is_unix = address.family == net::Address::Family::unix_path;
  return is_unix ? "--unix-socket '" + address.path + "' http://localhost" : url_of(address);
}

// Whoever knows the code can buy it.
bool is_for_everybody(const stock::ItemTerms& terms) {
  return !terms.has_hidden_link && terms.product.empty() && terms.enrolled.empty();
}

void print_start(const node::Node& node, const node::NodeSettings& settings) {
  for (const std::string& line : node.notices()) diag::start_line(line);
  const std::string ledger = settings.redis ? ", ledger " + cluster::text_of(*settings.redis) : "";
  diag::start_line(counted(settings.catalog.size(), "item") + ", " +
                   counted(settings.shard_count, "shard") + ", data in " + settings.data_dir +
                   ", database " + settings.database_text + ledger);
  diag::start_line("listening on " + url_of(node.listen_address()));
  diag::start_line("admin on " + url_of(node.admin_address()));
  if (!settings.by_ticket && !settings.catalog.empty() &&
      is_for_everybody(settings.catalog[0].terms))
    diag::start_line("buy one: curl --json '{\"item\":\"" +
                     std::string(settings.catalog[0].terms.code.view()) +
                     "\",\"qty\":1}' -H 'X-User-Id: alice' " +
                     curl_target_of(node.listen_address()) + "/v1/orders");
  diag::start_line("ready");
}

// A stop was asked for while the server started.
bool has_stop_signal() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT}) sigaddset(&signals, number);
  const timespec at_once{};
  return sigtimedwait(&signals, nullptr, &at_once) > 0;
}

// A stop that comes while the node opens ends the process at once: reading a large log, or waiting for a database, may take
// long, and nothing has been sold. What has been written by then is what a crash would leave, and the next start takes it up.
class EndWhileOpening {
 public:
  explicit EndWhileOpening(const node::Node& node) : node_(node) {}
  EndWhileOpening(const EndWhileOpening&) = delete;
  ~EndWhileOpening() {
    is_open_.store(true, std::memory_order_release);
    thread_.join();
  }

 private:
  void watch() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT}) sigaddset(&signals, number);
    const timespec wait = {.tv_sec = 0, .tv_nsec = 10'000'000};
    for (int waits = 1; !is_open_.load(std::memory_order_acquire); ++waits) {
      if (waits % 100 == 0) tell_progress();
      if (sigtimedwait(&signals, nullptr, &wait) <= 0) continue;
      diag::notice("stopped before anything was sold");
      _exit(kExitOk);
    }
  }

  void tell_progress() {
    const std::optional<Progress::Look> look = node_.progress().look();
    if (!look) return;
    const double before = std::exchange(percent_, look->percent);
    tell_starting(text_of(*look), percent_ != before);
  }

  const node::Node& node_;
  double percent_ = 0;
  std::atomic<bool> is_open_{false};
  std::thread thread_ = start_thread("signals", [this] { watch(); });
};

void announce_stop() {
  tell_stopping();
  diag::notice("stopping: finishing what is under way");
}

node::MayEnd open(node::Node& node) {
  const EndWhileOpening ends_early(node);
  const ProgressLines lines(node.progress());
  return node.open();
}

// Waits for signals, once a second doing what no shard has time for. Returns when all shards have stopped.
void watch_over(node::Node& node, const sigset_t& signals, Reloader& reloader, bool is_stopping) {
  int64_t housekeeping_ns = 0;
  SystemClock clock;
  int64_t asked_ns = clock.now().boot_ns;  // to stop, when it is stopping
  while (!node.has_stopped()) {
    const timespec wait = {.tv_sec = is_stopping ? 0 : 1, .tv_nsec = is_stopping ? 2'000'000 : 0};
    const int signal = sigtimedwait(&signals, nullptr, &wait);
    if (signal == SIGHUP) reloader.reload();
    if (signal == SIGUSR1) node.reopen_access_log();
    if (signal == SIGTERM || signal == SIGINT) {
      const int64_t now_ns = clock.now().boot_ns;
      if (is_stopping && now_ns - asked_ns < kOneWishNs) continue;
      if (is_stopping) {
        diag::warning(
            "second signal: leaving at once; acknowledged orders are safe in the order log");
        _exit(kExitFailure);
      }
      is_stopping = true;
      asked_ns = now_ns;
      announce_stop();
      node.begin_stop();
    }
    if (const int64_t now_ns = clock.now().boot_ns; now_ns - housekeeping_ns >= kSecond) {
      housekeeping_ns = now_ns;
      node.release_segments();
      diag::tell_left_out();
      if (node.is_alive()) tell_alive();
    }
  }
}

// `serve --check`: what a start would say, by looking alone.
int check(const node::NodeSettings& settings) {
  node::Node node(settings, node::system_machine(), node::Data::Use::looking);
  if (const node::MayEnd ending = node.check())
    return end_with("serve", ending->exit_code, ending->message);
  if (settings.redis) {
    cluster::RedisClient redis(*settings.redis, settings.ledger_timeout_ms);
    if (Status reached = redis.connect(); !reached)
      return end_with("serve", kExitFailure, "--ledger: " + reached.error().message);
  }
  for (const std::string& line : node.notices()) std::fprintf(stderr, "%s\n", line.c_str());
  std::printf("ok\n");
  return std::fflush(stdout) == 0 ? kExitOk : kExitFailure;
}

int run(const ServeFlags& flags) {
  diag::configure(*diag::parse_level(flags.log_level), *diag::parse_format(flags.log_format));
  const sigset_t signals = flags.checks ? sigset_t{} : take_signals();
  if (!flags.core_dumps) forbid_core_dumps();  // before there is a key in memory
  const Result<node::NodeSettings> settings = settings_of(flags);
  if (!settings) return usage_error("serve", flags.config.placed(settings.error().message));
  if (flags.checks) return check(*settings);

  node::Node node(*settings);
  if (const node::MayEnd ending = open(node)) {
    return end_with("serve", ending->exit_code, ending->message);
  }
  bool is_stopping = false;
  node.start([&] { return !is_stopping && (is_stopping = has_stop_signal()); });
  if (flags.sandbox)
    if (Status entered = enter_sandbox(); !entered)
      fatal(kExitUsage, "%s", entered.error().message.c_str());
  if (is_stopping) {
    announce_stop();
  } else {
    print_start(node, *settings);
    tell_ready();
  }
  Reloader reloader(node, flags);
  watch_over(node, signals, reloader, is_stopping);
  node.finish();
  diag::notice("stopped");
  return kExitOk;
}

}  // namespace

Command serve() {
  const auto flags = std::make_shared<ServeFlags>();
  Command command{.name = "stampede serve",
                  .summary = "sell: the server",
                  .about = "Sells: shards, order log, drainer, operators' listener.",
                  .run = [flags] { return run(*flags); }};
  add_serve_flags(command, *flags);
  return command;
}

}  // namespace stampede::cmd
