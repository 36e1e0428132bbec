// `stampede serve`: flags, signals, and the operator's lines while it starts and stops. The server itself is put
// together in node/node.cc.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>

#include "base/diag.h"
#include "base/progress.h"
#include "base/thread.h"
#include "base/words.h"
#include "cluster/redis_client.h"
#include "cmd/hand_over.h"
#include "cmd/hardening.h"
#include "cmd/keeper.h"
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
constexpr int kLooksMax = 5;  // of `serve --check`

std::string url_of(const net::Address& address) {
  const std::string text = net::text_of(address);
  return address.family == net::Address::Family::unix_path ? text : "http://" + text;
}

// The words by which curl reaches a listener.
std::string curl_target_of(const net::Address& address) {
  const bool is_unix = address.family == net::Address::Family::unix_path;
  return is_unix ? "--unix-socket '" + address.path + "' http://localhost" : url_of(address);
}

// True when any buyer that knows the code can buy the item.
bool is_for_everybody(const stock::ItemTerms& terms) {
  return !terms.has_hidden_link && terms.product.empty() && terms.enrolled.empty();
}

// The pause, as its clients saw it.
std::string took_over(const net::PassedSockets& passed) {
  const auto pause_ns = static_cast<uint64_t>(SystemClock().now().boot_ns - passed.since_ns);
  return "took over " + counted(passed.connections.size(), "connection") +
         "; nobody was answered for " + duration_text(pause_ns);
}

void print_start(const node::Node& node, const node::NodeSettings& settings) {
  for (const std::string& line : node.notices()) diag::start_line(line);
  const std::string ledger = settings.redis ? ", ledger " + cluster::text_of(*settings.redis) : "";
  diag::start_line(counted(settings.catalog.size(), "item") + ", " +
                   counted(settings.shard_count, "shard") + ", data in " + settings.data_dir +
                   ", database " + settings.database_text + ledger);
  if (settings.passed.is_hand_over()) diag::start_line(took_over(settings.passed));
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

// Whether somebody wants a stop, waiting so long for it.
bool has_stop_signal(const timespec& wait = {}) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT}) sigaddset(&signals, number);
  return sigtimedwait(&signals, nullptr, &wait) > 0;
}

constexpr timespec kSignalWait = {.tv_sec = 0, .tv_nsec = 10'000'000};

// Signals that come together are one wish.
bool is_second_wish(int64_t asked_ns) {
  return SystemClock().now().boot_ns - asked_ns >= kOneWishNs;
}

[[noreturn]] void leave_at_once() {
  diag::warning("second signal: leaving at once; acknowledged orders are safe in the order log");
  _exit(kExitFailure);
}

// A stop that comes while the node opens ends the process at once: reading a large log, or waiting for a database, may take
// long, and nothing has been sold. The files are then as after a crash, and the next start takes them up.
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
    for (int waits = 1; !is_open_.load(std::memory_order_acquire); ++waits) {
      if (waits % 100 == 0) {
        notify_progress();
        notify_alive();  // behind a hand-over the watchdog goes on from the server before
      }
      if (!has_stop_signal(kSignalWait)) continue;
      diag::notice("stopped before anything was sold");
      _exit(kExitOk);
    }
  }

  void notify_progress() {
    const std::optional<Progress::Look> look = node_.progress().look();
    if (!look) return;
    const double before = std::exchange(percent_, look->percent);
    notify_starting(text_of(*look), percent_ != before);
  }

  const node::Node& node_;
  double percent_ = 0;
  std::atomic<bool> is_open_{false};
  std::thread thread_ = start_thread("signals", [this] { watch(); });
};

// While the main thread waits for the last work of a stop.
class LeaveAtSecondSignal {
 public:
  explicit LeaveAtSecondSignal(int64_t asked_ns) : asked_ns_(asked_ns) {}
  LeaveAtSecondSignal(const LeaveAtSecondSignal&) = delete;
  ~LeaveAtSecondSignal() {
    is_over_.store(true, std::memory_order_release);
    thread_.join();
  }

 private:
  void watch() const {
    while (!is_over_.load(std::memory_order_acquire))
      if (has_stop_signal(kSignalWait) && is_second_wish(asked_ns_)) leave_at_once();
  }

  const int64_t asked_ns_;
  std::atomic<bool> is_over_{false};
  std::thread thread_ = start_thread("signals", [this] { watch(); });
};

void announce_stop() {
  notify_stopping();
  diag::notice("stopping: finishing what is under way");
}

node::MayEnd open(node::Node& node) {
  const EndWhileOpening ends_early(node);
  const ProgressLines lines(node.progress());
  return node.open();
}

// The running server: waits for signals, and once a second does the work that no shard has time for.
class Watch {
 public:
  Watch(node::Node& node, const sigset_t& signals, Reloader& reloader,
        const std::optional<Keeper>& keeper, bool is_stopping)
      : node_(node),
        signals_(signals),
        reloader_(reloader),
        keeper_(keeper),
        is_stopping_(is_stopping),
        asked_ns_(clock_.now().boot_ns) {}

  // Returns when all shards have stopped.
  void run() {
    while (!node_.has_stopped()) {
      take_signal();
      if (hand_over_.is_checking()) look_at_check();
      keep_house();
    }
  }

  // Behind run(). The process becomes another binary's when it was asked to, or its keeper does.
  void leave() {
    const bool has_ended = finish();
    if (!hands_over_) {
      diag::notice("stopped");
      if (!has_ended) _exit(kExitOk);
      return;
    }
    const Status left =
        keeper_ ? keeper_->pass_on(node_.left()) : hand_over_.leave_to_it(node_.left());
    if (left) _exit(kExitOk);
    fatal(kExitFailure, "stopped, and nobody took over: %s", left.error().message.c_str());
  }

 private:
  // The drainer and the helpers may take seconds. A successor has the signals that come meanwhile.
  bool finish() {
    std::optional<LeaveAtSecondSignal> leaves;
    if (!hands_over_) leaves.emplace(asked_ns_);
    return node_.finish();
  }

  void take_signal() {
    const bool is_awaiting = is_stopping_ || hand_over_.is_checking();
    const timespec wait = {.tv_sec = is_awaiting ? 0 : 1, .tv_nsec = is_awaiting ? 2'000'000 : 0};
    siginfo_t sent{};
    const int signal = sigtimedwait(&signals_, &sent, &wait);
    if (signal == SIGHUP) reloader_.reload();
    if (signal == SIGUSR1) node_.reopen_access_log();
    if (signal == SIGUSR2) ask_successor(sent);
    if (signal == SIGTERM || signal == SIGINT) stop();
  }

  void stop() {
    if (hands_over_) {  // a wish to stop is a wish for no successor
      hands_over_ = false;
      node_.end_hand_over();
    } else if (is_stopping_) {
      if (!is_second_wish(asked_ns_)) return;
      leave_at_once();
    }
    is_stopping_ = true;
    asked_ns_ = clock_.now().boot_ns;
    announce_stop();
    node_.begin_stop();
  }

  // A keeper has asked it already.
  void ask_successor(const siginfo_t& sent) {
    if (is_stopping_) return;
    if (keeper_) {
      if (keeper_->has_sent(sent)) hand_over();
    } else if (Status asked = hand_over_.begin_check(); !asked) {
      log_refusal(asked.error());
    }
  }

  void look_at_check() {
    const Result<HandOver::Answer> answer = hand_over_.look();
    if (!answer) return log_refusal(answer.error());
    if (*answer == HandOver::Answer::go_on && !is_stopping_) hand_over();
  }

  void hand_over() {
    if (Status begun = node_.begin_hand_over(); !begun) return log_refusal(begun.error());
    is_stopping_ = hands_over_ = true;
    asked_ns_ = clock_.now().boot_ns;
    notify_reloading();
    diag::notice("handing over to the binary at the same path: clients wait");
  }

  void keep_house() {
    const int64_t now_ns = clock_.now().boot_ns;
    if (now_ns - housekeeping_ns_ < kSecond) return;
    housekeeping_ns_ = now_ns;
    node_.release_segments();
    node_.tell_slow_turns();
    diag::report_left_out();
    if (node_.is_alive()) notify_alive();
  }

  SystemClock clock_;
  node::Node& node_;
  const sigset_t& signals_;
  Reloader& reloader_;
  const std::optional<Keeper>& keeper_;
  HandOver hand_over_;
  bool hands_over_ = false;
  bool is_stopping_;
  int64_t asked_ns_;  // to stop, when it is stopping
  int64_t housekeeping_ns_ = 0;
};

// `serve --check`: prints the verdict of a start, and only reads for it.
//
// A server that runs in the directory writes on meanwhile: segments and snapshots that were there a moment ago are not, or look
// torn. A complaint counts when it comes twice in the same words.
int check(const node::NodeSettings& settings) {
  std::vector<std::string> notices;
  std::string complaint;
  for (int look = 0; look < kLooksMax; ++look) {
    node::Node node(settings, node::system_machine(), node::Data::Use::looking);
    const node::MayEnd ending = node.check();
    notices = node.notices();
    if (!ending) break;
    const bool is_so = ending->message == std::exchange(complaint, ending->message);
    if (is_so || look + 1 == kLooksMax)
      return end_with("serve", ending->exit_code, ending->message);
  }
  if (settings.redis) {
    cluster::RedisClient redis(*settings.redis, settings.ledger_timeout_ms);
    if (Status reached = redis.connect(); !reached)
      return end_with("serve", kExitFailure, "--ledger: " + reached.error().message);
  }
  for (const std::string& line : notices) std::fprintf(stderr, "%s\n", line.c_str());
  std::printf("ok\n");
  return kExitOk;
}

int run(const ServeFlags& flags) {
  diag::configure(*diag::parse_level(flags.log_level), *diag::parse_format(flags.log_format));
  const sigset_t signals = flags.checks ? sigset_t{} : take_signals();
  if (!flags.core_dumps) forbid_core_dumps();  // before there is a key in memory
  std::optional<Keeper> keeper;
  if (flags.sandbox && !flags.checks) keeper = Keeper::split_off(signals);
  const Result<node::NodeSettings> settings = settings_of(flags);
  if (!settings) return usage_error("serve", flags.config.placed(settings.error().message));
  if (flags.checks) return with_output("stampede serve", check(*settings));

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
    notify_ready();
  }
  Reloader reloader(node, flags);
  Watch watch(node, signals, reloader, keeper, is_stopping);
  watch.run();
  watch.leave();
  return kExitOk;
}

}  // namespace

Command serve() {
  const auto flags = std::make_shared<ServeFlags>();
  Command command{.name = "stampede serve",
                  .summary = "sell: the server",
                  .about =
                      "Sells: shards, order log, drainer, operators' listener. SIGTERM stops it; "
                      "SIGHUP reads again what can change while it sells, SIGUSR1 opens the access "
                      "log again, SIGUSR2 puts the binary that lies at its path in its place.",
                  .is_server = true,
                  .run = [flags] { return run(*flags); }};
  add_serve_flags(command, *flags);
  return command;
}

}  // namespace stampede::cmd
