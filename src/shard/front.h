// The connections of one shard: bytes in, requests to the desk that decides them, answers out in the order of the
// requests.
//
// An unanswered request has a place in its connection's line. Answers come in any order (from this shard's desk, through
// a mailbox, from the operators' side); each is kept at its place until the ones before it have been written.
//
//   socket ─read─▶ input ─parse─▶ door ─route─▶ place ──▶ Orders (desk or mailbox)
//   socket ◀write─ output ◀─render── in order ◀─ place ◀── complete()
//
// Back-pressure works both ways: a connection with 64 unanswered requests or 64 KiB of unsent output is not read until
// that has changed. An idle connection holds no buffer and no place: about 110 bytes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "door/keys.h"
#include "http/date_text.h"
#include "http/parser.h"
#include "http/response.h"
#include "http/routes.h"
#include "net/buffers.h"
#include "net/net.h"
#include "order.h"
#include "shard/metrics.h"
#include "stock/catalog.h"
#include "stock/desk.h"
#include "stock/timer_wheel.h"

namespace stampede::shard {

// What the front needs of the rest of its shard.
class Orders {
 public:
  virtual ~Orders() = default;
  // To the home shard of the order or the user; false: no credit, the answer is `overloaded`.
  virtual bool submit(const OrderRequest& request) = 0;
  using Glance = stock::Desk::Glance;
  virtual Glance glance(ItemId item) = 0;
};

struct TextAnswer {
  http::StatusCode status = http::StatusCode::ok;
  std::string_view content_type = http::kJson;
  std::string headers;  // further lines, each with its CRLF
  std::string body;
  // Or a refusal, when this is not Verdict::ok; `body` is then its message.
  Verdict refusal = Verdict::ok;
  std::string_view allow;
};

// The operators' side, which lives on shard 0: takes every request of an operators' connection.
class AdminDesk {
 public:
  virtual ~AdminDesk() = default;
  // Answers with Front::complete(place, …), now or later. `who` names the peer.
  virtual void handle(const http::Request& request, ReplyTo place, const std::string& who) = 0;
};

struct FrontSettings {
  uint32_t shard = 0;
  uint32_t node = 0;
  HashKey hash_key{};
  bool by_ticket = false;  // --auth ticket; otherwise X-User-Id
  uint32_t connections_max = bounds::connections_max;
};

// Secrets that an operator may replace while the server runs; null without --key-file.
using SharedKeys = std::shared_ptr<const door::Keys>;

class Front {
 public:
  Front(const FrontSettings& settings, net::Net& net, const stock::Catalog& catalog, Orders& orders,
        Metrics& metrics, Moment now);

  void set_keys(SharedKeys keys) { keys_ = std::move(keys); }
  void set_admin(AdminDesk* admin) { admin_ = admin; }
  void add_listener(net::Socket socket, bool is_admin);

  void on_event(const net::Event& event, Moment now);
  // An answer of a desk, this shard's or another's.
  void complete(const OrderAnswer& answer);
  void complete(ReplyTo place, TextAnswer answer);
  // Deadlines, and connections that had to wait for a place or a buffer.
  void pass_time(Moment now);
  // Writes what the turn has rendered: one write per socket.
  void flush();

  // No new connections; long polls are answered.
  void begin_stop(Moment now);
  // Every answer that was owed has been written.
  bool is_drained() const { return places_.used() == 0 && connections_with_output_ == 0; }
  int64_t quiet_until_ns() const;
  bool has_work() const {
    return !stalled_.empty() || !continuations_.empty() || !stock_waits_.empty();
  }

  // Tokens of other descriptors that the shard watches must have this bit set.
  static constexpr uint64_t kForeignToken = uint64_t{1} << 63;

 private:
  static constexpr uint64_t kListenerToken = uint64_t{1} << 62;

  struct Connection {
    net::Socket socket = net::kNoSocket;
    uint32_t serial =
        0;  // part of the token; survives in a free cell, of which only the first word is used
    net::InputBuffer input;
    net::OutputQueue output;
    uint32_t first_place = kNone, last_place = kNone;
    uint32_t requests = 0;
    int64_t deadline_ns = 0;
    uint32_t linger_bytes = 0;
    uint8_t place_count = 0;
    net::Interest interest = net::Interest::read;
    // What a passed deadline means.
    enum class Waiting : uint8_t {
      idle,
      head,
      body,
      answer,
      write,
      linger
    } waiting = Waiting::idle;
    bool is_open = false;
    bool is_admin = false;
    bool is_dirty = false;     // stands in dirty_
    bool is_stalled = false;   // stands in stalled_
    bool input_ended = false;  // the client sends no more
    bool is_closing = false;   // no further request is taken; close when all is written
    bool must_linger = false;  // bytes may still come in: a plain close would reset the answer away
    bool continue_sent = false;  // "100 Continue" for the request at the front of the input
  };

  struct Place {
    uint32_t next;
    uint32_t serial;  // see ReplyTo; survives in a free cell, of which only the first word is used
    uint32_t connection;
    enum class State : uint8_t { waiting, watching, answered, answered_text } state;
    RequestKind kind;
    bool is_head, closes, is_1_0;
    bool is_admin;
    uint16_t wait_ms;  // long poll; for a question about stock, looks that are left
    uint32_t listed;
    OrderAnswer answer;  // kept until its turn; before that: user and order of a watch or list
  };

  struct StockWait {
    ReplyTo place;
    ItemId item;
  };

  struct Listener {
    net::Socket socket;
    bool is_admin;
    bool is_watched;
    int64_t rest_until_ns;
  };

  void accept_some(uint32_t listener_index);
  void open_connection(net::Socket socket, bool is_admin);
  void close_connection(uint32_t index);
  void close_all();
  void read_some(uint32_t index);
  void take_input(uint32_t index, std::span<const char> bytes);
  size_t parse_some(uint32_t index, std::span<const char> bytes);
  bool may_take_request(const Connection& connection) const;
  void dispatch(uint32_t index, const http::Request& request);
  void dispatch_public(uint32_t place, const http::Request& request);
  void dispatch_order(uint32_t place, const http::Request& request, const http::Route& route);
  void dispatch_payment(uint32_t place, const http::Request& request, const http::Route& route);
  bool fill_create(OrderRequest& order, uint32_t place, const http::Request& request);
  std::optional<UserText> user_of(const http::Request& request) const;
  void submit(uint32_t place, const OrderRequest& order);
  void refuse(uint32_t place, const http::Refusal& refusal);
  void refuse_connection(uint32_t index, Verdict verdict, const char* reason);
  void answer_items(uint32_t place, const http::Request& request, const http::Route& route);
  void answer_item(uint32_t place, const http::Request& request, ItemId item);
  void answer_stock(uint32_t place, ItemId item);

  uint32_t add_place(uint32_t connection, const http::Request& request);
  void drop_place(uint32_t place);
  bool is_current(const ReplyTo& to) const;
  ReplyTo reply_to(uint32_t place) const;
  void settle(uint32_t place);
  void write_answers(uint32_t connection);
  bool render(Connection& connection, uint32_t place);
  http::Delivery delivery_of(const Place& place) const;
  void count_answer(const OrderAnswer& answer);

  void continue_list(uint32_t place);
  void begin_watch(uint32_t place);
  void end_watch(uint32_t place);

  void mark_dirty(uint32_t index);
  void stall(uint32_t index);
  void after_write(uint32_t index);
  void update_interest(uint32_t index);
  void set_deadline(uint32_t index, Connection::Waiting waiting, int64_t milliseconds);
  void on_deadline(uint32_t index);

  FrontSettings settings_;
  net::Net& net_;
  const stock::Catalog& catalog_;
  Orders& orders_;
  Metrics& metrics_;
  AdminDesk* admin_ = nullptr;
  SharedKeys keys_;
  Moment now_;
  http::DateText date_;
  bool is_stopping_ = false;
  int64_t stopped_ns_ = 0;

  net::BufferPool buffers_;
  Slab<Connection> connections_;
  Slab<Place> places_;
  stock::TimerWheel deadlines_;    // by connection
  stock::TimerWheel watch_wheel_;  // by place
  std::vector<Listener> listeners_;
  std::vector<uint32_t> dirty_;
  std::vector<uint32_t> stalled_;
  std::vector<StockWait> stock_waits_;
  std::vector<ReplyTo> continuations_;              // lists that want their next order
  std::unordered_map<uint32_t, TextAnswer> texts_;  // by place; not on the path of an order
  std::unordered_map<uint32_t, http::OrderList> lists_;
  uint32_t connections_with_output_ = 0;
  std::vector<char> read_scratch_;
  std::vector<char> body_scratch_;
};

}  // namespace stampede::shard
