#include "shard/connections.h"

#include <algorithm>

#include "base/probe.h"
#include "net/descriptor_budget.h"

namespace stampede::shard {
namespace {

// One read; what of it cannot be taken yet fits into a large chunk.
constexpr size_t kReadBytes = 32 * 1024;
// Of one connection when many are read together: what of it cannot be taken yet fits into a small chunk.
constexpr size_t kReadTogetherBytes = net::chunk_capacity(net::ChunkSize::small);
constexpr size_t kReadsAtOnce = 64;  // more share little more, and their bytes leave the cache
constexpr size_t kWritesAtOnce = 64;
static_assert(kReadBytes <= net::chunk_capacity(net::ChunkSize::large));
// A body of at most so many bytes is copied behind its head, which saves a write; a larger one goes from its place.
constexpr size_t kCopiedBodyMax = 8 * 1024;
static_assert(http::response_bytes_max + TextAnswer::kLeadBytesMax + kCopiedBodyMax <=
              net::chunk_capacity(net::ChunkSize::medium));
// Then clients that take no answers are left behind.
constexpr int64_t kStopPatienceNs = 3 * kSecond;
constexpr int64_t kPassPatienceNs = 100 * kMillisecond;
constexpr int64_t kGiveBackEveryNs = kSecond;
constexpr int64_t kGiveBackAgainNs = 10 * kMillisecond;
constexpr unsigned kEvictionLooks = 4;
static_assert(kGuestsMax <= net::descriptors_of_guests_per_shard);
constexpr uint32_t kGiveBackChunks = 256;  // some 200 µs of a turn

door::Address door_address_of(const net::Address& address) {
  switch (address.family) {
    case net::Address::Family::ipv4:
      return door::address_of_ipv4(address.ip.data());
    case net::Address::Family::ipv6:
      return door::address_of_ipv6(address.ip.data());
    case net::Address::Family::unix_path:
      return {};
  }
  CHECK(false);
}

constexpr uint64_t token_of(uint32_t index, uint32_t serial) {
  return (uint64_t{serial & 0x3fffffff} << 32) | index;
}

}  // namespace

Connections::Connections(const ConnectionsSettings& settings, net::Net& net, Metrics& metrics,
                         Moment now)
    : settings_(settings),
      net_(net),
      metrics_(metrics),
      now_(now),
      book_(settings.chunks_max),
      listeners_(net, metrics),
      connections_(settings.connections_max),
      idle_(settings.connections_max),
      places_(settings.shard, settings.places_max),
      deadlines_(settings.connections_max, now.boot_ns),
      ready_(settings.connections_max),
      dirty_(settings.connections_max),
      resumed_(settings.connections_max),
      crowded_out_(settings.connections_max),
      starving_(settings.connections_max),
      postponed_(settings.connections_max),
      give_back_ns_(now.boot_ns + kGiveBackEveryNs),
      read_scratch_(std::max(kReadBytes, kReadsAtOnce * kReadTogetherBytes)),
      body_scratch_(bounds::body_bytes_max) {
  date_.refresh(now.wall_ns);
}

// ---- connections ----

void Connections::on_event(const net::Event& event, Moment now) {
  now_ = now;
  if (Listeners::is_mine(event.token)) {
    return listeners_.on_event(event, now,
                               [this](const net::Accepted& accepted, const Service& service) {
                                 open_connection(accepted, service);
                               });
  }
  const uint32_t index = static_cast<uint32_t>(event.token);
  if (index >= connections_.touched()) return;
  Connection& connection = connections_[index];
  // An event of a connection that was closed, or whose cell has a new owner, earlier in this turn.
  if (!connection.is_open || event.token != token_of(index, connection.serial)) return;
  if (event.broken && !event.readable) return close_connection(index);
  if (event.writable) dirty_.add(index);
  if (event.readable || event.half_closed) ready_.add(index);
}

// Those without input of an earlier read are read together.
void Connections::read() {
  while (!ready_.empty()) {
    reads_.clear();
    reading_.clear();
    // What cannot be taken at once needs a small chunk each.
    const size_t most = std::min(kReadsAtOnce, book_.buffers().lendable(net::ChunkSize::small));
    while (!ready_.empty() && (reads_.size() < most || most == 0)) {
      const uint32_t index = ready_.take();
      Connection& connection = connections_[index];
      if (!connection.is_open) continue;
      if (most == 0 || !connection.input.empty()) {
        read_some(index);
      } else if (may_read(index)) {
        const std::span into = std::span(read_scratch_).subspan(reads_.size() * kReadTogetherBytes);
        reads_.push_back({.socket = connection.socket, .into = into.first(kReadTogetherBytes)});
        reading_.push_back(index);
      }
    }
    net_.read_all(reads_);
    for (size_t i = 0; i < reads_.size(); ++i) take_read(reading_[i], reads_[i].into, reads_[i].io);
  }
}

void Connections::set_limits(const door::Limits& limits) {
  limits_ = limits;
  net_.limit_connections(limits.connections);
}

void Connections::shed(net::Socket socket) {
  metrics_.connections_shed.add();
  net_.reset(socket);
}

// Of this shard's: the kernel deals newcomers and the idle to all shards alike. What a client has sent by now is read before
// it is closed, for it may be a request; who turns out to have asked stays, and the next one is looked at. So does whoever
// may have asked, because what he has sent waits for a turn, a place or a buffer.
bool Connections::evict_one(IdleKind kind) {
  for (unsigned looks = 0; looks < kEvictionLooks; ++looks) {
    const uint32_t index = idle_.first(kind);
    if (index == kNone) return false;
    look_at(index);
    const Connection& connection = connections_[index];
    if (!connection.is_open) return true;
    if (idle_.first(kind) != index) continue;
    if (connection.parsing != Connection::Parsing::going || connection.is_starving) {
      idle_.remove(index);
      update_idle(index);
      continue;
    }
    metrics_.connections_evicted.add();
    close_connection(index);
    return true;
  }
  return false;
}

bool Connections::evict_regular() {
  return evict_one(IdleKind::usual) || evict_one(IdleKind::second) || evict_one(IdleKind::first);
}

// For a newcomer that finds no place; false: there is none for it.
bool Connections::make_room(const net::Accepted& accepted, const Service& service, bool& is_guest) {
  if (evict_regular()) return true;
  is_guest = service.is_public;
  const bool is_let_in =
      is_guest && guests_open_ < kGuestsMax && accepted.has_spare && !connections_.is_full();
  return is_let_in || evict_one(IdleKind::guest);
}

// kNone: it is gone already.
uint32_t Connections::open_connection(const net::Accepted& accepted, const Service& service) {
  const net::Socket socket = accepted.socket;
  const bool needs_place = accepted.is_beyond || connections_.is_full();
  bool is_guest = false;
  if (needs_place && !make_room(accepted, service, is_guest)) {
    shed(socket);
    return kNone;
  }
  const uint32_t index = connections_.allocate();
  CHECK(index != kNone);
  Connection& connection = connections_[index];
  const uint32_t serial = connection.serial + 1;
  connection = Connection{};
  connection.serial = serial;
  connection.socket = socket;
  connection.service = service;
  connection.is_open = true;
  connection.is_guest = is_guest;
  guests_open_ += is_guest;
  if (!net_.watch(socket, token_of(index, serial), net::Interest::read)) {
    metrics_.connections_shed.add();
    close_connection(index);
    return kNone;
  }
  metrics_.connections_accepted.add();
  metrics_.connections_open.set(connections_.used());
  set_deadline(index, Connection::Waiting::head, bounds::head_deadline_ms);
  update_idle(index);
  admit_address(index);
  return connection.is_open ? index : kNone;
}

void Connections::adopt(const net::PassedConnection& passed, const Service& service) {
  const uint32_t index = open_connection(net_.adopt(passed.socket, !service.is_public), service);
  if (index == kNone) return;
  if (passed.input.empty())
    set_deadline(index, Connection::Waiting::idle, bounds::idle_deadline_ms);
  else if (keep(index, passed.input))
    wait_for_turn(index);
}

// Counted here and not where it is accepted, so that a refusal finds a connection to be told on.
void Connections::admit_address(uint32_t index) {
  Connection& connection = connections_[index];
  if (limits_.connections_address == 0 || addresses_ == nullptr || !connection.service.is_public)
    return;
  const door::AddressGroup group = door::group_of(peer(connection));
  const auto admission = addresses_->take_connection(group, limits_.connections_address);
  connection.is_counted = admission == door::AddressTable::Admission::counted;
  if (admission != door::AddressTable::Admission::refused) return;
  metrics_.connections_refused.add();
  if (refused_open_ == kRefusedMax) return reset_connection(index);
  connection.is_refused = true;
  ++refused_open_;
  refuse_connection(index, {.verdict = Verdict::rate_limited, .limit = Limit::address});
}

const door::Address& Connections::peer(Connection& connection) {
  if (!connection.has_peer) connection.peer = door_address_of(net_.peer_of(connection.socket));
  connection.has_peer = true;
  return connection.peer;
}

// Who owes nobody an answer stands in line for eviction, from the moment on from which it owes none.
void Connections::update_idle(uint32_t index) {
  const Connection& connection = connections_[index];
  const bool is_idle = connection.is_open && connection.service.is_public &&
                       connection.line.count == 0 && !has_unsent(connection);
  if (!is_idle)
    idle_.remove(index);
  else if (!idle_.holds(index))
    idle_.push(index, connection.is_guest ? IdleKind::guest : idle_kind_of(connection.rank));
}

// Orders that are under way stay valid: their buyer finds them by key or by list. Their answers find no place.
void Connections::close_connection(uint32_t index) {
  const net::Socket socket = connections_[index].socket;
  release_connection(index);
  net_.close(socket);
}

// Nothing is left of it in the kernel either.
void Connections::reset_connection(uint32_t index) {
  const net::Socket socket = connections_[index].socket;
  release_connection(index);
  net_.reset(socket);
}

void Connections::release_connection(uint32_t index) {
  Connection& connection = connections_[index];
  CHECK(connection.is_open);
  while (connection.line.count > 0) {
    const ReplyTo first = places_.reply_to(connection.line.first);
    if (places_.is_waiting(first)) connection.service.handler->abandon(first);
    const Place& place = places_[first.place];
    if (place.access != kNone && place.state != Place::State::sending)
      access_->end_unanswered(place.access, now_);
    places_.pop(connection.line);
  }
  connection.input.clear(book_.buffers());
  connection.output.clear(book_);
  if (connection.is_counted) addresses_->give_connection(door::group_of(connection.peer));
  refused_open_ -= connection.is_refused;
  guests_open_ -= connection.is_guest;
  deadlines_.cancel(index);
  connection.is_open = false;
  idle_.remove(index);
  connections_.release(index);
  metrics_.connections_open.set(connections_.used());
}

// ---- input ----

void Connections::read_lingering(uint32_t index) {
  Connection& connection = connections_[index];
  const net::Io io = net_.read(connection.socket, read_scratch_);
  connection.linger_bytes += static_cast<uint32_t>(io.bytes);
  if (io.status == net::Io::Status::closed || connection.linger_bytes > bounds::linger_bytes_max)
    close_connection(index);
}

// Behind what is kept; or into the scratch, no more than could be kept. Empty when there is no buffer.
std::span<char> Connections::read_room(Connection& connection) {
  if (!connection.input.empty()) return connection.input.room(book_.buffers());
  for (const net::ChunkSize size :
       {net::ChunkSize::large, net::ChunkSize::medium, net::ChunkSize::small})
    if (book_.buffers().can_lend(size))
      return std::span(read_scratch_).first(std::min(kReadBytes, net::chunk_capacity(size)));
  return {};
}

// It has room for what it sends. When it has not, what follows from that has been done.
bool Connections::may_receive(uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.waiting == Connection::Waiting::linger) {
    read_lingering(index);
    return false;
  }
  if (!has_room_for_request(connection)) {
    stall(index);
    update_interest(index);
    return false;
  }
  // Or it has its turn.
  return connection.parsing != Connection::Parsing::resumed || is_stopping_;
}

// Requests of it can be taken now, too.
bool Connections::may_read(uint32_t index) {
  if (!may_receive(index)) return false;
  if (may_decide(connections_[index]) && !places_.is_full()) return true;
  wait_for_turn(index);
  return false;
}

void Connections::read_some(uint32_t index) {
  if (may_read(index)) receive(index);
}

// What has come is taken, or kept for a later turn, so that it is known whether anything has.
void Connections::look_at(uint32_t index) {
  if (may_receive(index)) receive(index);
}

void Connections::receive(uint32_t index) {
  Connection& connection = connections_[index];
  const std::span<char> into = read_room(connection);
  if (into.empty()) {
    starve(index);
    return dirty_.add(index);
  }
  take_read(index, into, net_.read(connection.socket, into));
}

// What a read has brought: behind the kept input, or fresh.
void Connections::take_read(uint32_t index, std::span<char> into, const net::Io& io) {
  Connection& connection = connections_[index];
  if (io.status == net::Io::Status::would_block) return;
  if (io.status == net::Io::Status::closed) {
    // Half-closed: what was asked completely is still answered; half a request is nothing.
    connection.input_ended = true;
    connection.is_closing = true;
    connection.input.clear(book_.buffers());
    // Half a request had a deadline; the answers that are owed have none, but for one that the client does not take.
    if (connection.line.count > 0 && connection.waiting != Connection::Waiting::write)
      set_deadline(index, Connection::Waiting::answer, 0);
    return dirty_.add(index);
  }
  metrics_.bytes_read.add(io.bytes);
  const bool is_kept = !connection.input.empty();
  if (is_kept) connection.input.extend(io.bytes);
  if (may_decide(connection))
    take_input(index, is_kept ? connection.input.kept() : into.first(io.bytes));
  else if (is_kept || keep(index, into.first(io.bytes)))  // others have used up the turn
    wait_for_turn(index);
}

// False: the machine has no more memory, and the connection is gone.
bool Connections::keep(uint32_t index, std::span<const char> bytes) {
  if (connections_[index].input.append(book_.buffers(), bytes)) return true;
  metrics_.connections_shed.add();
  close_connection(index);
  return false;
}

// Takes what can be taken of `bytes`, which are the kept input or fresh from the socket, and keeps the rest.
void Connections::take_input(uint32_t index, std::span<const char> bytes) {
  Connection& connection = connections_[index];
  const bool is_kept = !connection.input.empty();
  const size_t used = parse_some(index, bytes);
  if (is_kept) {
    connection.input.consume(book_.buffers(), used);
  } else if (used < bytes.size() && !keep(index, bytes.subspan(used))) {
    return;
  }
  if (connection.input.empty() && connection.line.count == 0)
    set_deadline(index, Connection::Waiting::idle, bounds::idle_deadline_ms);
  dirty_.add(index);
}

// A share of this turn is left for it. Those of better rank take nothing of it and need none.
bool Connections::may_decide(const Connection& connection) const {
  return turn_budget_ > 0 || connection.rank != net::Rank::usual || !connection.service.is_public ||
         is_stopping_;
}

// As far as the connection itself is concerned; a place must be free, too.
bool Connections::has_room_for_request(const Connection& connection) const {
  return !connection.is_closing && !passes_on_ && connection.line.count < line_max() &&
         connection.output.bytes() < bounds::output_bytes_max;
}

// Half of the places may be taken by whoever comes first. The other half is for those who have none: some clients that ask for much
// and read nothing would hold all of them, and nobody else's request would be read.
uint32_t Connections::line_max() const {
  return is_crowded() ? 1 : bounds::pipelined_max;
}

bool Connections::is_crowded() const {
  return places_.used() >= settings_.places_max / 2 && !is_stopping_;
}

size_t Connections::parse_some(uint32_t index, std::span<const char> bytes) {
  Connection& connection = connections_[index];
  size_t used = 0;
  uint32_t budget = is_stopping_ ? UINT32_MAX : kRequestsPerRead;
  while (used < bytes.size() && has_room_for_request(connection) && !places_.is_full()) {
    if (budget-- == 0) {
      resume(index);
      return used;
    }
    const http::Parsed parsed = http::parse(bytes.subspan(used), body_scratch_);
    if (parsed.status == http::ParseStatus::bad) {
      refuse_connection(index, {.verdict = parsed.refusal, .reason = parsed.reason});
      return bytes.size();
    }
    if (parsed.status == http::ParseStatus::need_more) {
      need_more(index, parsed);
      return used;
    }
    used += parsed.consumed;
    connection.continue_sent = false;
    dispatch(index, parsed.request);
  }
  // A full line: go on when answers have left.
  if (used < bytes.size()) stall(index);
  return used;
}

void Connections::need_more(uint32_t index, const http::Parsed& parsed) {
  Connection& connection = connections_[index];
  // "100 Continue" stands in the order of the answers too: it waits for those that are owed.
  if (parsed.wants_continue && !connection.continue_sent && connection.line.count == 0)
    connection.continue_sent = connection.output.append(book_, http::kContinue);
  if (parsed.is_head_complete)
    set_deadline(index, Connection::Waiting::body, bounds::body_deadline_ms);
  else
    set_deadline(index, Connection::Waiting::head, bounds::head_deadline_ms);
}

void Connections::refuse_connection(uint32_t index, const http::Refusal& refusal) {
  Connection& connection = connections_[index];
  connection.is_closing = true;
  connection.must_linger = true;
  if (places_.is_full()) return dirty_.add(index);
  const uint32_t place = places_.add(connection.line, index, http::Request{});
  update_idle(index);
  places_[place].closes = true;
  refuse(places_.reply_to(place), refusal);
}

// The last request of a line, when it waits on purpose: there is a reason now not to.
void Connections::hurry_last(const Connection& connection) {
  if (connection.line.count == 0) return;
  Place& last = places_[connection.line.last];
  if (!last.wants_hurry) return;
  last.wants_hurry = false;
  const ReplyTo place = places_.reply_to(connection.line.last);
  if (places_.is_waiting(place)) connection.service.handler->hurry(place);
}

void Connections::dispatch(uint32_t index, const http::Request& request) {
  Connection& connection = connections_[index];
  ++connection.requests;
  hurry_last(connection);
  const uint32_t place = places_.add(connection.line, index, request);
  const ReplyTo to = places_.reply_to(place);
  PROBE(request_parsed, to.shard, to.place, to.serial, request.method, request.body.size());
  if (access_ != nullptr) [[unlikely]]
    places_[place].access = access_->begin(request, connection.service.is_public, now_);
  update_idle(index);
  set_deadline(index, Connection::Waiting::answer, 0);
  if (!request.keep_alive || connection.is_guest ||
      connection.requests == bounds::requests_per_connection_max) {
    places_[place].closes = true;
    connection.is_closing = true;
    connection.must_linger = connection.must_linger || connection.is_guest;
  }
  if (connection.service.is_public) {
    metrics_.requests.add();
    places_[place].origin = settings_.origins.find(request.origin);
  }
  if (connection.rank == net::Rank::usual && turn_budget_ > 0) --turn_budget_;
  connection.service.handler->handle(request, to);
}

// ---- answers ----

void Connections::complete(const OrderAnswer& answer) {
  if (!is_waiting(answer.reply_to)) return;
  places_.answer(answer.reply_to.place, answer);
  write_line(answer.reply_to.place);
}

void Connections::complete(const ReplyTo& to, TextAnswer answer) {
  if (!is_waiting(to)) return;
  if (answer.ends_connection) {
    Place& place = places_[to.place];
    CHECK(place.next == kNone);  // or what was taken for a request behind it is answered, too
    Connection& connection = connections_[place.connection];
    place.closes = connection.is_closing = connection.must_linger = true;
  }
  places_.answer(to.place, std::move(answer));
  write_line(to.place);
}

// Without words of its own a refusal needs no memory.
void Connections::refuse(const ReplyTo& place, const http::Refusal& refusal) {
  if (refusal.reason != nullptr || !refusal.allow.empty())
    return complete(place, TextAnswer{.body = refusal.reason == nullptr ? "" : refusal.reason,
                                      .refusal = refusal.verdict,
                                      .allow = refusal.allow});
  OrderAnswer answer;
  answer.reply_to = place;
  answer.verdict = refusal.verdict;
  answer.limit = refusal.limit;
  answer.retry_after_ms = refusal.retry_after_ms;
  complete(answer);
}

bool Connections::is_first(const ReplyTo& to) {
  CHECK(is_waiting(to));
  Place& place = places_[to.place];
  place.wants_turn = connections_[place.connection].line.first != to.place;
  return !place.wants_turn;
}

bool Connections::may_linger(const ReplyTo& to) {
  CHECK(is_waiting(to));
  Place& place = places_[to.place];
  place.wants_hurry =
      !is_stopping_ && place.next == kNone && !connections_[place.connection].is_guest;
  return place.wants_hurry;
}

std::string Connections::peer_of(const ReplyTo& to) const {
  CHECK(is_waiting(to));
  return net::text_of(net_.peer_of(connections_[places_[to.place].connection].socket));
}

void Connections::rank(const ReplyTo& to, net::Rank rank) {
  CHECK(is_waiting(to));
  const uint32_t index = places_[to.place].connection;
  Connection& connection = connections_[index];
  if (connection.rank == rank) return;
  connection.rank = rank;
  net_.set_rank(connection.socket, token_of(index, connection.serial), connection.interest, rank);
}

const door::Address& Connections::address_of(const ReplyTo& to) {
  CHECK(is_waiting(to));
  return peer(connections_[places_[to.place].connection]);
}

// A place has its answer.
void Connections::write_line(uint32_t place) {
  const uint32_t index = places_[place].connection;
  if (connections_[index].line.first != place) return;
  render_line(index);
  dirty_.add(index);
}

// Renders every answer at the front of the line, up to a large body, which is written from its place.
void Connections::render_line(uint32_t index) {
  Connection& connection = connections_[index];
  while (connection.line.count > 0 && !connection.is_sending) {
    const uint32_t first = connection.line.first;
    Place& place = places_[first];
    if (place.state == Place::State::waiting) {
      if (!place.wants_turn) return;
      place.wants_turn = false;
      return connection.service.handler->take_turn(places_.reply_to(first));
    }
    const size_t unsent = connection.output.bytes();
    const Rendered rendered = render(connection, first);
    if (rendered == Rendered::nothing) return starve(index);
    count_answer(connection, place, first);
    if (place.access != kNone) [[unlikely]]
      log_access(place, first, connection.output.bytes() - unsent, rendered);
    if (rendered == Rendered::whole) {
      places_.pop(connection.line);
      continue;
    }
    place.state = Place::State::sending;
    connection.is_sending = true;
    connection.body_sent = 0;
  }
}

http::Delivery Connections::delivery_of(const Connection& connection, const Place& place) const {
  auto option = http::ConnectionOption::none;
  if (place.closes)
    option = http::ConnectionOption::close;
  else if (place.is_1_0)
    option = http::ConnectionOption::keep_alive;
  // Operators' answers are for no page.
  const std::string_view lines =
      connection.service.is_public ? settings_.origins.lines_for(place.origin) : std::string_view{};
  return {.date = date_, .connection = option, .is_head = place.is_head, .lines = lines};
}

Connections::Rendered Connections::render(Connection& connection, uint32_t index) {
  const Place& place = places_[index];
  CHECK(place.state == Place::State::answered);
  if (place.is_text) return render_text(connection, place, places_.text(index));
  const std::span<char> room = connection.output.room(book_, http::response_bytes_max);
  if (room.empty()) return Rendered::nothing;
  const std::string_view code = place.answer.has_order
                                    ? connection.service.handler->item_code(place.answer.order.item)
                                    : std::string_view{};
  const size_t bytes =
      http::render_answer(place.answer, code, delivery_of(connection, place), room);
  CHECK(bytes > 0);
  connection.output.extend(book_, bytes);
  return Rendered::whole;
}

Connections::Rendered Connections::render_text(Connection& connection, const Place& place,
                                               const TextAnswer& text) {
  const std::string_view body = text.content();
  const bool is_copied = place.is_head || body.size() <= kCopiedBodyMax;
  CHECK(text.lead.size() <= TextAnswer::kLeadBytesMax);
  const size_t needed = http::response_bytes_max + text.lead.size() +
                        (is_copied && !place.is_head ? body.size() : size_t{0});
  const std::span<char> room = connection.output.room(book_, needed);
  if (room.empty()) return Rendered::nothing;
  size_t bytes = 0;
  if (text.refusal != Verdict::ok) {
    const char* reason = text.body.empty() ? nullptr : text.body.c_str();
    bytes = http::render_refusal({.verdict = text.refusal, .reason = reason, .allow = text.allow},
                                 delivery_of(connection, place), room);
  } else if (is_copied && !place.is_head && text.lead.empty()) {
    bytes = http::render(text.status, text.content_type, text.headers, body,
                         delivery_of(connection, place), room);
  } else {
    bytes = http::render_head(text.status, text.content_type, text.headers,
                              text.lead.size() + body.size(), delivery_of(connection, place), room);
    if (!place.is_head) bytes += text.lead.copy(room.data() + bytes, text.lead.size());
    if (!place.is_head && is_copied) bytes += body.copy(room.data() + bytes, body.size());
  }
  CHECK(bytes > 0);
  connection.output.extend(book_, bytes);
  return is_copied ? Rendered::whole : Rendered::head;
}

void Connections::count_answer(const Connection& connection, const Place& place, uint32_t index) {
  if (!connection.service.is_public) return;
  const Verdict verdict = place.is_text ? places_.text(index).refusal : place.answer.verdict;
  const uint64_t order = place.is_text ? 0 : place.answer.order.id.value;
  PROBE(request_answered, settings_.shard, index, place.serial, verdict, order);
  metrics_.answers[static_cast<unsigned>(verdict)].add();
  if (verdict == Verdict::rate_limited && !place.is_text)
    metrics_.limited[static_cast<unsigned>(place.answer.limit)].add();
  if (!place.is_text && verdict == Verdict::created)
    metrics_.acked_ns.record(now_.boot_ns - place.answer.received_boot_ns);
}

void Connections::log_access(const Place& place, uint32_t index, size_t bytes, Rendered rendered) {
  const TextAnswer* const text = place.is_text ? &places_.text(index) : nullptr;
  if (rendered == Rendered::head) bytes += text->content().size();
  access_->end(place.access, place, text, bytes, now_);
}

// ---- waiting for room ----

// Something waits behind the line or the output. Its own answers end that, or in a crowd also those of others.
void Connections::stall(uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.is_closing) return;
  hurry_last(connection);
  if (is_crowded()) crowded_out_.add(index);
  if (connection.parsing == Connection::Parsing::going) metrics_.connections_stalled.add();
  connection.parsing = Connection::Parsing::stalled;
}

void Connections::resume(uint32_t index) {
  Connection& connection = connections_[index];
  connection.parsing = Connection::Parsing::resumed;
  resumed_.add(index);
}

// What it sends meanwhile is told of by no poll: turns may be long in coming while there are no places.
void Connections::wait_for_turn(uint32_t index) {
  resume(index);
  update_interest(index);
}

// The crowd is over for those that waited for nothing else. Some a turn: there may be as many as connections.
void Connections::call_back() {
  for (size_t count = std::min<size_t>(crowded_out_.size(), bounds::events_per_turn_max);
       count > 0 && !is_crowded(); --count) {
    const uint32_t index = crowded_out_.take();
    if (connections_[index].is_open) resume_stalled(index);
  }
}

void Connections::resume_stalled(uint32_t index) {
  const Connection& connection = connections_[index];
  if (connection.parsing == Connection::Parsing::stalled && has_room_for_request(connection))
    resume(index);
  else if (connection.parsing == Connection::Parsing::stalled && is_crowded())
    crowded_out_.add(index);  // its line was full, and now only the crowd is in its way
}

// Those that may go on, as long as there are places, and half of the turn is left for those who have not had one.
void Connections::take_resumed() {
  // Who has still more goes to the end, for the next turn.
  for (size_t count = resumed_.size();
       count > 0 && !places_.is_full() && turn_budget_ > kRequestsPerTurn / 2; --count) {
    const uint32_t index = resumed_.take();
    Connection& connection = connections_[index];
    if (!connection.is_open || connection.parsing != Connection::Parsing::resumed) continue;
    connection.parsing = Connection::Parsing::going;
    if (connection.is_closing)
      dirty_.add(index);
    else if (!connection.input.empty())
      take_input(index, connection.input.kept());
    else
      read_some(index);
    if (connection.is_open) dirty_.add(index);
  }
}

void Connections::starve(uint32_t index) {
  connections_[index].is_starving = true;
  starving_.add(index);
}

// Only when chunks have come back since the last look; those that find none again go to the end.
void Connections::feed_starving() {
  if (starving_.empty() || returns_seen_ == book_.buffers().returns()) return;
  returns_seen_ = book_.buffers().returns();
  for (size_t count = starving_.size(); count > 0; --count) {
    const uint32_t index = starving_.take();
    Connection& connection = connections_[index];
    if (!connection.is_open || !connection.is_starving) continue;
    connection.is_starving = false;
    render_line(index);
    dirty_.add(index);
  }
}

// ---- the end of a turn ----

void Connections::flush() {
  body_budget_ = kBodyBytesPerTurn;
  while (!dirty_.empty()) {
    writes_.clear();
    writing_.clear();
    while (!dirty_.empty() && writes_.size() < kWritesAtOnce) {
      const uint32_t index = dirty_.take();
      Connection& connection = connections_[index];
      if (!connection.is_open) continue;
      if (connection.output.empty()) {
        send_rest(index, Sent::all);
        continue;
      }
      writes_.push_back({.socket = connection.socket, .from = connection.output.front()});
      writing_.push_back(index);
    }
    net_.write_all(writes_);
    for (size_t i = 0; i < writes_.size(); ++i) {
      Connection& connection = connections_[writing_[i]];
      const Sent sent = take_write(connection, writes_[i].io);
      if (sent == Sent::all) connection.output.consume(book_, writes_[i].io.bytes);
      send_rest(writing_[i], sent);
    }
  }
}

// What a first write has left, if that went well, and what follows from it.
void Connections::send_rest(uint32_t index, Sent sent) {
  if (sent == Sent::all) sent = send(index);
  if (sent == Sent::gone) return close_connection(index);
  if (sent == Sent::postponed) postponed_.add(index);
  after_write(index);
}

// Output, and then at most one large body and the small answers behind it.
Connections::Sent Connections::send(uint32_t index) {
  Connection& connection = connections_[index];
  Sent sent = send_output(connection);
  if (sent != Sent::all || !connection.is_sending) return sent;
  sent = send_body(index);
  if (sent != Sent::all) return sent;
  connection.is_sending = false;
  places_.pop(connection.line);
  render_line(index);
  sent = send_output(connection);
  return sent == Sent::all && connection.is_sending ? Sent::postponed : sent;
}

Connections::Sent Connections::write(Connection& connection, std::span<const char> bytes,
                                     size_t& written) {
  const net::Io io = net_.write(connection.socket, bytes);
  written = io.bytes;
  return take_write(connection, io);
}

Connections::Sent Connections::take_write(Connection& connection, const net::Io& io) {
  if (io.status == net::Io::Status::closed) return Sent::gone;
  if (io.status == net::Io::Status::would_block) return Sent::blocked;
  metrics_.bytes_written.add(io.bytes);
  // The write deadline begins anew when that much has been taken: a byte now and then would hold the output for ever. A guest's
  // does not.
  if (connection.waiting == Connection::Waiting::write && !connection.is_guest) {
    connection.taken += static_cast<uint32_t>(io.bytes);
    if (connection.taken >= kWriteBytesMin) connection.waiting = Connection::Waiting::answer;
  }
  return Sent::all;
}

Connections::Sent Connections::send_output(Connection& connection) {
  while (!connection.output.empty()) {
    size_t written = 0;
    if (Sent sent = write(connection, connection.output.front(), written); sent != Sent::all)
      return sent;
    connection.output.consume(book_, written);
  }
  return Sent::all;
}

Connections::Sent Connections::send_body(uint32_t index) {
  Connection& connection = connections_[index];
  const std::string_view body = places_.text(connection.line.first).content();
  while (connection.body_sent < body.size()) {
    if (body_budget_ == 0) return Sent::postponed;
    size_t written = 0;
    const std::string_view rest = body.substr(connection.body_sent, body_budget_);
    if (Sent sent = write(connection, rest, written); sent != Sent::all) return sent;
    connection.body_sent += static_cast<uint32_t>(written);
    body_budget_ -= written;
  }
  return Sent::all;
}

void Connections::after_write(uint32_t index) {
  Connection& connection = connections_[index];
  resume_stalled(index);
  if (has_unsent(connection)) {
    if (connection.waiting != Connection::Waiting::write) {
      connection.taken = 0;
      set_deadline(index, Connection::Waiting::write,
                   connection.is_guest ? kGuestWriteMs : bounds::write_deadline_ms);
    }
  } else if (connection.line.count == 0) {
    update_idle(index);
    return after_last_answer(index);
  } else if (connection.waiting == Connection::Waiting::write) {
    set_deadline(index, Connection::Waiting::answer, 0);  // it has taken all that there was
  }
  update_interest(index);
}

// Nothing is owed: the end, or the wait for the next request or for the rest of one.
void Connections::after_last_answer(uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.is_closing) {
    if (connection.waiting == Connection::Waiting::linger) return;
    if (connection.input_ended || !(connection.must_linger || !connection.input.empty()))
      return close_connection(index);
    // RFC 9112 9.6: closing with unread input would reset the connection under the answer.
    net_.shut_down_write(connection.socket);
    set_deadline(index, Connection::Waiting::linger, bounds::linger_deadline_ms);
  } else if (connection.input.empty()) {
    if (connection.waiting != Connection::Waiting::idle &&
        connection.waiting != Connection::Waiting::head)
      set_deadline(index, Connection::Waiting::idle, bounds::idle_deadline_ms);
  } else if (!passes_on_ && (connection.waiting == Connection::Waiting::answer ||
                             connection.waiting == Connection::Waiting::write)) {
    // Half a request was kept while answers were owed: now its own deadline counts, and perhaps "100 Continue" is due.
    resume(index);
  }
  update_interest(index);
}

void Connections::update_interest(uint32_t index) {
  Connection& connection = connections_[index];
  const bool is_lingering = connection.waiting == Connection::Waiting::linger;
  const bool reads =
      is_lingering || (!connection.input_ended && has_room_for_request(connection) &&
                       connection.parsing == Connection::Parsing::going && !connection.is_starving);
  const bool writes = !connection.output.empty() || connection.is_sending;
  const net::Interest interest = reads && writes ? net::Interest::read_write
                                 : reads         ? net::Interest::read
                                 : writes        ? net::Interest::write
                                                 : net::Interest::none;
  if (interest == connection.interest) return;
  connection.interest = interest;
  net_.rewatch(connection.socket, token_of(index, connection.serial), interest);
}

// ---- time ----

// A deadline is total: bytes that trickle in do not move it, only what it waits for. The wheel is touched only when the
// new deadline is earlier than the one it holds; a later one is found when the timer fires.
void Connections::set_deadline(uint32_t index, Connection::Waiting waiting, int64_t milliseconds) {
  Connection& connection = connections_[index];
  const bool is_total =
      waiting == Connection::Waiting::head || waiting == Connection::Waiting::body;
  if (is_total && connection.waiting == waiting && connection.deadline_ns != 0) return;
  connection.waiting = waiting;
  if (waiting == Connection::Waiting::answer) {
    connection.deadline_ns = INT64_MAX;
    return;
  }
  const int64_t deadline_ns = now_.boot_ns + milliseconds * kMillisecond;
  const bool is_scheduled = deadlines_.is_scheduled(index);
  const bool is_earlier = !is_scheduled || deadline_ns < connection.deadline_ns;
  connection.deadline_ns = deadline_ns;
  if (!is_earlier) return;
  deadlines_.cancel(index);
  deadlines_.schedule(index, deadline_ns);
}

void Connections::on_deadline(uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.waiting == Connection::Waiting::answer) {
    // Nobody is late; look again when the idle time would be over.
    deadlines_.schedule(index, now_.boot_ns + bounds::idle_deadline_ms * kMillisecond);
    return;
  }
  if (connection.deadline_ns > now_.boot_ns)
    return deadlines_.schedule(index, connection.deadline_ns);
  metrics_.connections_timed_out.add();
  const bool is_half_a_request =
      connection.waiting == Connection::Waiting::body ||
      (connection.waiting == Connection::Waiting::head && !connection.input.empty());
  if (!is_half_a_request) return close_connection(index);
  connection.input.clear(book_.buffers());
  refuse_connection(index, {.verdict = Verdict::request_timeout});
}

void Connections::pass_time(Moment now) {
  now_ = now;
  turn_budget_ = kRequestsPerTurn;
  date_.refresh(now.wall_ns);
  uint32_t budget = bounds::expiries_per_turn_max;
  for (uint32_t index; (index = deadlines_.next_due(now.boot_ns, budget)) != kNone;)
    on_deadline(index);
  listeners_.pass_time(now);
  if (is_stopping_) stop_some();
  call_back();
  take_resumed();
  feed_starving();
  while (!postponed_.empty())
    if (const uint32_t index = postponed_.take(); connections_[index].is_open) dirty_.add(index);
  give_back_buffers();
}

// After a flood the memory of its buffers goes back to the machine.
void Connections::give_back_buffers() {
  if (now_.boot_ns < give_back_ns_) return;
  const bool has_more = book_.buffers().give_back_idle(kGiveBackChunks);
  give_back_ns_ = now_.boot_ns + (has_more ? kGiveBackAgainNs : kGiveBackEveryNs);
}

bool Connections::has_work() const {
  return !dirty_.empty() || !postponed_.empty() || (!resumed_.empty() && !places_.is_full()) ||
         (!crowded_out_.empty() && !is_crowded()) ||
         (!starving_.empty() && returns_seen_ != book_.buffers().returns()) ||
         (is_stopping_ && stop_cursor_ < connections_.touched());
}

int64_t Connections::quiet_until_ns() const {
  return std::min({deadlines_.quiet_until_ns(), listeners_.quiet_until_ns(), stop_until_ns_,
                   pass_until_ns_, give_back_ns_});
}

// ---- the end ----

void Connections::close_all() {
  for (uint32_t index = 0; index < connections_.touched(); ++index)
    if (connections_[index].is_open) close_connection(index);
}

void Connections::begin_stop(Moment now, bool passes_on) {
  CHECK(!is_stopping_);
  now_ = now;
  is_stopping_ = true;
  passes_on_ = passes_on;
  stop_until_ns_ = now.boot_ns + kStopPatienceNs;
  if (passes_on) pass_until_ns_ = now.boot_ns + kPassPatienceNs;
  listeners_.close_all();
}

bool Connections::is_drained() const {
  return is_stopping_ && stop_cursor_ >= connections_.touched() && places_.used() == 0 &&
         book_.unsent() == 0;
}

// Those that owe answers, and with `with_waiting` also those whose answers are not there yet.
void Connections::leave_behind(bool with_waiting) {
  for (uint32_t index = 0; index < connections_.touched(); ++index) {
    const Connection& connection = connections_[index];
    if (!connection.is_open) continue;
    // One that finds no buffer to be read into is owed nothing.
    const bool is_unsent = !connection.output.empty() || connection.is_sending;
    if (is_unsent || (with_waiting && connection.line.count > 0)) close_connection(index);
  }
}

void Connections::pass_on(std::vector<net::PassedConnection>& sockets) {
  leave_behind(true);
  for (uint32_t index = 0; index < connections_.touched(); ++index) {
    Connection& connection = connections_[index];
    if (!connection.is_open) continue;
    if (connection.is_closing) {
      close_connection(index);
      continue;
    }
    const std::span<const char> input = connection.input.kept();
    sockets.push_back({.socket = connection.socket,
                       .is_public = connection.service.is_public,
                       .input = std::string(input.begin(), input.end())});
    net_.unwatch(connection.socket);
    release_connection(index);
  }
}

// No more is taken of anybody, some connections a turn: a hundred thousand reads in one would stand still for 0.1 s.
void Connections::stop_some() {
  if (now_.boot_ns >= pass_until_ns_) {
    pass_until_ns_ = INT64_MAX;
    leave_behind(false);
  }
  if (now_.boot_ns >= stop_until_ns_) {
    stop_until_ns_ = INT64_MAX;
    stop_cursor_ = connections_.touched();
    return passes_on_ ? leave_behind(true) : close_all();
  }
  for (uint32_t budget = bounds::events_per_turn_max;
       budget > 0 && stop_cursor_ < connections_.touched(); --budget, ++stop_cursor_) {
    Connection& connection = connections_[stop_cursor_];
    if (!connection.is_open) continue;
    if (passes_on_) {
      hurry_last(connection);
      update_interest(stop_cursor_);
      continue;
    }
    // A request that has arrived is answered: with the truth that the server stops. First those that had been read.
    if (!connection.input.empty()) take_input(stop_cursor_, connection.input.kept());
    if (connection.is_open) read_some(stop_cursor_);
    if (!connection.is_open) continue;
    hurry_last(connection);
    connection.is_closing = true;
    dirty_.add(stop_cursor_);
  }
}

}  // namespace stampede::shard
