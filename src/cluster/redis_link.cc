#include "cluster/redis_link.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include <vector>

#include "base/check.h"
#include "cluster/reply_bounds.h"

namespace stampede::cluster {

namespace {
constexpr char kUnasked[] = "the connection was closed, or brought an answer to no call";

// An error of a cluster's master about one slot; its other slots are not concerned.
bool is_about_slot(const redisReply& reply) {
  if (reply.type != REDIS_REPLY_ERROR) return false;
  const std::string_view error(reply.str, reply.len);
  return error.starts_with("MOVED ") || error.starts_with("ASK ") ||
         error.starts_with("TRYAGAIN ") || error.find("non local key") != error.npos;
}
}  // namespace

struct RedisLink::Hooks {
  static RedisLink& link(void* data) { return *static_cast<RedisLink*>(data); }

  static void add_read(void* data) { link(data).want(true, link(data).wants_write_); }
  static void del_read(void* data) { link(data).want(false, link(data).wants_write_); }
  static void add_write(void* data) { link(data).want(link(data).wants_read_, true); }
  static void del_write(void* data) { link(data).want(link(data).wants_read_, false); }

  // hiredis is about to close the descriptor and to free the context, for any reason.
  static void clean_up(void* data) {
    RedisLink& self = link(data);
    if (self.problem_.empty()) {
      const std::string why = error_text(self.context_->c);
      self.problem_ = why.empty() ? "the connection was closed" : why;
    }
    if (self.is_watched_) self.net_.unwatch(self.context_->c.fd);
    self.is_watched_ = self.wants_read_ = self.wants_write_ = false;
    self.context_ = nullptr;
    self.state_ = State::down;
  }

  // A null reply: the connection ended before it came.
  static void greeting(redisAsyncContext* context, void* reply, void*) {
    RedisLink& self = link(context->data);
    if (reply != nullptr && !self.has_ended() && !self.has_surplus())
      self.is_sound(*static_cast<redisReply*>(reply));
  }
  static void script(redisAsyncContext* context, void* reply, void*) {
    if (reply != nullptr) link(context->data).on_script(*static_cast<redisReply*>(reply));
  }
  static void answer(redisAsyncContext* context, void* reply, void*) {
    if (reply != nullptr) link(context->data).on_call(*static_cast<redisReply*>(reply));
  }
};

RedisLink::RedisLink(net::Net& net, uint64_t token, Owner& owner)
    : ScriptLink(token, owner), net_(net) {}

RedisLink::~RedisLink() {
  close("the shard has ended");
}

void RedisLink::connect(const RedisServer& server) {
  CHECK(is_down());
  server_ = server;
  problem_.clear();
  ++generation_;
  scripts_loaded_ = 0;
  under_way_.clear();
  is_sending_ = false;
  context_ = redisAsyncConnect(server.address.host.c_str(), server.address.port);
  if (context_ == nullptr) {
    problem_ = "out of memory";
    return;
  }
  if (context_->err != 0) {
    problem_ = context_->errstr;
    redisAsyncFree(std::exchange(context_, nullptr));
    return;
  }
  bound_replies(*context_->c.reader);
  state_ = State::connecting;
  context_->data = context_->ev.data = this;
  context_->ev.addRead = Hooks::add_read;
  context_->ev.delRead = Hooks::del_read;
  context_->ev.addWrite = Hooks::add_write;
  context_->ev.delWrite = Hooks::del_write;
  context_->ev.cleanup = Hooks::clean_up;
  greet();
}

// Sent ahead of the connection; Redis answers in order, so the link is up when the last script is loaded.
void RedisLink::greet() {
  if (!server_.password.empty()) {
    const std::string_view with_user[] = {"AUTH", server_.user, server_.password};
    const std::string_view without[] = {"AUTH", server_.password};
    if (server_.user.empty())
      send(Hooks::greeting, without);
    else
      send(Hooks::greeting, with_user);
  }
  if (server_.database != 0) {
    const std::string database = std::to_string(server_.database);
    const std::string_view words[] = {"SELECT", database};
    send(Hooks::greeting, words);
  }
  for (const Script script : kScripts) {
    const std::string_view words[] = {"SCRIPT", "LOAD", source_of(script)};
    send(Hooks::script, words);
  }
}

void RedisLink::close(std::string_view why) {
  if (context_ == nullptr) return;
  problem_ = why;
  state_ = State::ending;
  // Within a callback hiredis waits with this until the callback has returned.
  redisAsyncFree(context_);
}

void RedisLink::send(Callback callback, std::span<const std::string_view> words) {
  std::vector<const char*> texts;
  std::vector<size_t> lengths;
  for (const std::string_view word : words) {
    texts.push_back(word.data());
    lengths.push_back(word.size());
  }
  redisAsyncCommandArgv(context_, callback, nullptr, static_cast<int>(words.size()), texts.data(),
                        lengths.data());
}

// watch() follows in flush(), once for all calls.
void RedisLink::call(Script script, uint32_t group, uint64_t number,
                     std::span<const std::string_view> arguments) {
  CHECK(is_up());
  is_sending_ = true;
  if (server_.is_asking) {
    const std::string_view words[] = {"ASKING"};
    send(Hooks::greeting, words);
  }
  std::vector<std::string_view> words = {"EVALSHA", shas_[static_cast<unsigned>(script)], "1",
                                         state_key(group)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  under_way_.push_back({script, group, number});
  send(Hooks::answer, words);
}

void RedisLink::flush() {
  if (!std::exchange(is_sending_, false) || context_ == nullptr) return;
  redisAsyncHandleWrite(context_);
  if (context_ != nullptr) watch();
}

// An error in place of an answer ends the connection: LOADING, READONLY, NOSCRIPT, OOM, BUSY, NOAUTH, CLUSTERDOWN … all mean
// that this is not, or not now, a Redis that can be used. Connecting again loads the scripts again.
bool RedisLink::is_sound(const redisReply& reply) {
  if (reply.type != REDIS_REPLY_ERROR) return true;
  close(std::string_view(reply.str, reply.len));
  return false;
}

// Bytes behind the last reply that is owed. hiredis would end the process for them.
bool RedisLink::has_surplus() {
  if (is_owed_a_reply() || context_->c.reader->pos == context_->c.reader->len) return false;
  close(kUnasked);
  return true;
}

bool RedisLink::is_owed_a_reply() const {
  return context_->replies.head != nullptr;
}

void RedisLink::on_script(const redisReply& reply) {
  if (has_ended() || has_surplus() || !is_sound(reply)) return;
  if (reply.type != REDIS_REPLY_STRING)
    return close("SCRIPT LOAD was answered with something else");
  const Script script = kScripts[scripts_loaded_++];
  shas_[static_cast<unsigned>(script)] = std::string(reply.str, reply.len);
  if (scripts_loaded_ == std::size(kScripts)) state_ = State::up;
}

void RedisLink::on_call(const redisReply& reply) {
  if (has_ended() || has_surplus()) return;
  CHECK(!under_way_.empty());
  const UnderWay call = under_way_.front();
  under_way_.erase(under_way_.begin());
  if (is_about_slot(reply)) return owner_.on_refusal(call.script, call.group);
  if (!is_sound(reply)) return;
  const bool has_status = reply.type == REDIS_REPLY_ARRAY && reply.elements > 0 &&
                          reply.element[0]->type == REDIS_REPLY_STRING;
  if (!has_status) return close("a script was answered with something that is no array");
  owner_.on_answer(call.script, call.group, call.number, reply);
}

// ---- the reactor ----

void RedisLink::want(bool read, bool write) {
  wants_read_ = read;
  wants_write_ = write;
  if (!is_sending_) watch();
}

void RedisLink::watch() {
  const net::Interest interest = wants_read_ && wants_write_ ? net::Interest::read_write
                                 : wants_read_               ? net::Interest::read
                                 : wants_write_              ? net::Interest::write
                                                             : net::Interest::none;
  if (is_watched_ && interest == watched_) return;
  watched_ = interest;
  if (is_watched_) return net_.rewatch(context_->c.fd, token(), interest);
  is_watched_ = net_.watch(context_->c.fd, token(), interest);
  // Without a watch nothing would ever come; the owner's deadline ends this connection.
}

void RedisLink::on_event(const net::Event& event) {
  if (event.token != token()) return;  // of a connection that is gone
  const bool is_broken = event.broken;
  if (context_ != nullptr && (event.writable || (is_broken && wants_write_)))
    redisAsyncHandleWrite(context_);
  if (context_ == nullptr || !(event.readable || event.half_closed || is_broken)) return;
  if (is_up() && !is_owed_a_reply()) return close(kUnasked);
  redisAsyncHandleRead(context_);
  if (context_ != nullptr && unparsed_bytes(*context_->c.reader) > reply_bytes_max)
    close(kReplyTooLarge);
}

}  // namespace stampede::cluster
