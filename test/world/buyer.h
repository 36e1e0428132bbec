// A client of the public interface, or of the operators', at the end of a fake connection: it sends requests and takes
// answers apart. It says so when an answer was cut off in the middle, which no server may do.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "door/keys.h"
#include "fake_net.h"

namespace stampede::world {

struct Answer {
  int status = 0;
  std::string body;

  // The value of a member of the body as text, without quotes; empty: it has none.
  std::string member(std::string_view name) const;
};

// The number that stands in an answer as "order_id".
uint64_t order_number(std::string_view order_id);

class Buyer {
 public:
  explicit Buyer(FakeClient& end) : end_(&end) {}

  FakeClient& end() { return *end_; }

  // Each sends one request; pipelined when the one before has no answer yet.
  void request(std::string_view method, std::string_view target, std::string_view headers = {},
               std::string_view body = {});
  void order(std::string_view user, uint32_t quantity = 1, std::string_view key = {});
  void order_of(std::string_view user, std::string_view item, uint32_t quantity,
                std::string_view key, std::string_view link = {});
  void cancel(std::string_view user, std::string_view order);
  void list(std::string_view user, std::string_view item);
  void ask_link(std::string_view user, std::string_view item);
  void read(std::string_view user, std::string_view order, uint32_t wait_ms = 0);
  void pay(std::string_view order, std::string_view payment, uint64_t amount, const door::Key& key,
           int64_t now_unix);
  // Whatever the body says.
  void pay_by(std::string_view order, std::string_view body, const door::Key& key,
              int64_t now_unix);

  // From now on users say who they are by this ticket, whose text is the user's own.
  void set_ticket(std::string ticket) { ticket_ = std::move(ticket); }

  // From now on the server reads what is sent in pieces of so many bytes.
  void set_piece_bytes(size_t bytes) { piece_bytes_ = bytes; }

  // What has arrived and is whole since the last call.
  std::vector<Answer> take_answers();
  bool has_answer();
  // The next answer; there must be one.
  Answer take_answer();

  uint32_t unanswered() const { return unanswered_; }
  bool has_ended() const { return end_->sees_end() || end_->was_reset(); }
  // It was ended in the middle of an answer. A reset takes what was not read yet with it, whole answers too.
  bool was_cut_off() const { return end_->sees_end() && !end_->was_reset() && !bytes_.empty(); }

 private:
  std::optional<Answer> parse();
  void read_answers();

  [[nodiscard]] std::string user_header(std::string_view user) const;

  FakeClient* end_;
  std::string ticket_;  // empty: a gateway says who they are
  size_t piece_bytes_ = SIZE_MAX;
  std::string bytes_;  // arrived and not yet an answer
  std::vector<Answer> answers_;
  uint32_t unanswered_ = 0;
};

}  // namespace stampede::world
