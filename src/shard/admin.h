// The operators' side of the server: health, metrics, status, the audit, and changes of items while
// they are sold.
//
// It lives on shard 0's thread: items and operators' changes stand in shard 0's order log, so one
// thread puts two operators' changes in order, and all of its answers leave through shard 0's
// connections. Nothing here is on the path of an order, so it may allocate; nothing here waits either.
// What takes more than one turn (a record on its way to the disk, a ledger's answer, an audit of a
// thousand items) is gone on with in turn().
//
//   Connections ──handle()──▶ Admin ─┬─ reads ───────▶ answered at once (admin_json.h, server_metrics.h)
//                                    ├─ Audits ──────▶ answered when every item of the page was counted
//                                    ├─ Scrapes ─────▶ answered when every shard has told its items' figures
//                                    ├─ ItemChanges ─▶ answered when durable, with the ledger and the
//                                    │                 shards told
//                                    └─ RulesChanges ▶ answered when durable and every shard goes by it
//
// To wire it: connections().add_listener(socket, {&admin, false}) and set_turn_hook() with turn(), both of shard 0, before
// its thread starts.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "http/own_hosts.h"
#include "shard/admin_routes.h"
#include "shard/audits.h"
#include "shard/item_changes.h"
#include "shard/limit_watch.h"
#include "shard/request_handler.h"
#include "shard/rules_changes.h"
#include "shard/scrapes.h"
#include "shard/server_metrics.h"
#include "shard/shard.h"

namespace stampede::shard {

// Called on shard 0's thread; must not wait.
using DrainView = std::function<DrainStatus()>;

// Called on shard 0's thread; must not wait.
using LedgerView = std::function<LedgerStatus()>;

struct AdminInfo {
  uint32_t node = 0;
  std::string data_dir;
  std::string ledger = "embedded";
  std::string version;
  int64_t started_wall_ms = 0;
  http::OwnHosts hosts;
};

class Admin final : public RequestHandler, private ChangeHost {
 public:
  // `shard` is shard 0; it, `process` and what `drain_view` refers to outlive this.
  Admin(Shard& shard, const ledger::OperatorsLink& ledger, Process& process, AdminInfo info,
        DrainView drain_view, LedgerView ledger_view);

  // RequestHandler. Probes (/healthz, /readyz) need no token: what asks them often cannot hold a
  // secret.
  void handle(const http::Request& request, ReplyTo place) override;
  // Goes on with what is under way, and returns whether something still is. Once per turn, behind the write of the log.
  bool turn(Moment now);

 private:
  // ChangeHost
  Lsn append(const orderlog::Record& record) override;
  bool has_room() const override;
  Lsn durable() const override { return shard_.writer().durable(); }
  void complete(ReplyTo place, TextAnswer answer) override;
  void publish(const stock::ItemTerms& terms) override;
  [[nodiscard]] bool is_over_retention(const stock::SaleTerms& terms, Moment now) const override {
    return shard_.desk().is_over_retention(terms, now);
  }
  void take_catalog(SharedEntries entries, std::string_view who) override;
  [[nodiscard]] bool is_taking_catalog() const override { return changes_.is_taking_catalog(); }
  [[nodiscard]] const LeftOfCatalog& left_of_catalog() const override {
    return changes_.left_of_catalog();
  }

  void answer(const AdminRoute& route, const http::Request& request, const Operator& by);
  void answer_item(const AdminRoute& route, const http::Request& request, const Operator& by);
  void audit(const AdminRoute& route, ReplyTo place);
  TextAnswer readiness() const;
  void metrics(const AdminRoute& route, ReplyTo place);
  TextAnswer metrics_of(std::span<const ItemId> items,
                        std::span<const stock::ItemFigures> figures) const;
  TextAnswer status(ItemId first) const;
  TextAnswer turns(uint32_t shard) const;
  void append_items(ItemId first, std::string& json) const;
  // The first item of a page; nullopt: `after` names an unknown one.
  std::optional<ItemId> page_start(const AdminRoute& route) const;
  std::optional<std::string> operator_of(const http::Request& request) const;
  void answer_blocked(const AdminRoute& route, const Operator& by);
  std::vector<std::string> reasons_against() const;
  void tell_act(const orderlog::Admin& act) const;
  void observe_drainer(Moment now);
  int64_t drainer_lag_ms() const;

  Shard& shard_;
  Process& process_;
  AdminInfo info_;
  DrainView drain_view_;
  LedgerView ledger_view_;
  ItemChanges changes_;
  RulesChanges rules_;
  Audits audits_;
  Scrapes scrapes_;
  LimitWatch limit_watch_{process_};
  const ProcessConstants constants_ = read_process_constants();
  std::vector<int64_t> drained_boot_ns_;  // per stream: when it was last seen without a lag
  int64_t observed_boot_ns_ = 0;
};

}  // namespace stampede::shard
