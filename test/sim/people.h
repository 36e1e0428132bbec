// Buyers: each wants tickets, and does what people do: asks again with the same key when he hears nothing, clicks twice,
// pays late, pays twice, cancels, reads, lists, leaves. Some try what they may not: a known key for another order, orders of
// others, tickets and links that are not theirs. Whoever is over a limit mostly waits as long as he is told to. What each is told goes into the History.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../world/buyer.h"
#include "allowances.h"
#include "history.h"
#include "hosts.h"
#include "plan.h"
#include "purchases.h"
#include "truth.h"

namespace stampede::sim {

class People {
 public:
  People(const Plan& plan, Hosts& hosts, History& history, Truth& truth, world::FakeClock& clock,
         Random random, std::function<void(const std::string&)> note);

  // Reads what has arrived, ends what takes too long, and lets everybody act whose time has come.
  void step();
  // When the next of them acts or gives up, on the boot clock.
  [[nodiscard]] int64_t next_ns() const;

  // From now on nobody begins anything; what was asked is waited for.
  void fall_silent();
  // From now on nobody begins anything but what closes the sale: unsure keys are asked again until they are answered, then every
  // item is bought up and every order that its buyer wants is paid.
  void close_sale();
  // All that is under way has been answered, and every item was said to be sold out when nothing was unsold.
  [[nodiscard]] bool has_closed() const;
  // What is missing, for the report.
  [[nodiscard]] std::string open_wishes() const;
  // Every order is read once more by its owner; has_read_all() when all have been answered.
  void read_all();
  [[nodiscard]] bool has_read_all() const;
  [[nodiscard]] uint64_t answers() const { return answers_; }

 private:
  enum class Kind : uint8_t { order, read, wait, cancel, pay, list, stock, link, look };
  struct Ask {
    Kind kind = Kind::order;
    std::string user;  // empty: the asker
    uint32_t item = 0, quantity = 1;
    std::string key;    // order; may be empty
    std::string order;  // read, cancel, pay: the id
    std::string payment;
    bool is_off = false;          // of another amount than the order's
    bool is_leaked = false;       // signed by whoever has got hold of a key
    std::string link;             // of a hidden sale
    bool is_wrong = false;        // it must be refused, and change nothing
    bool is_forged = false;       // by a ticket that nobody has signed
    bool is_winner = false;       // he knows the order that it has made already
    bool is_behind_wait = false;  // on its connection
    uint64_t life = 0;            // of the process that was asked
    net::Address address;         // from which
    int64_t sent_ns = 0;
    std::optional<KnownState> before;  // of the order, when it was asked for
  };
  struct Person {
    std::string name;
    net::Address address;
    uint32_t node = 0;                   // a gateway sends each user to one
    std::unique_ptr<world::Buyer> line;  // null: not connected
    uint64_t life = 0;                   // of the host, when it was connected
    std::deque<Ask> asked;               // without an answer, in the order of asking
    std::deque<Ask> unsure;              // orders and payments whose outcome is not known
    std::deque<Ask> to_do;               // decided already: before anything new
    int64_t acts_ns = 0;                 // next, and not before
    int64_t reads_ns = 0;                // a slow reader reads nothing before
    std::vector<std::string> links;      // by item; as the door has given them
    uint32_t keys = 0, payments = 0;
    bool is_closer = false;
  };

  void take_answers(Person& person);
  void take_answer(Person& person, const Ask& ask, const world::Answer& answer);
  void take_orders(const Person& person, const Ask& ask, const world::Answer& answer);
  void check_shown(const Person& person, const Ask& ask, const Shown& shown);
  void check_refund(const Ask& ask, const Shown& shown);
  void take_refusal(const Ask& ask, const world::Answer& answer);
  void take_off_payment(const Ask& ask, const world::Answer& answer);
  void be_unsure(Person& person, Ask ask);
  void take_limit(Person& person, const Ask& ask, const world::Answer& answer);
  void take_link(Person& person, const Ask& ask, const world::Answer& answer);
  void check_patience(const Person& person, const Ask& ask);
  void check_door(const Person& person, const Ask& ask, const world::Answer& answer);
  // Who is counted for what was asked.
  [[nodiscard]] Allowances::Who counted(Allowances::Kind kind, const Person& person,
                                        const Ask& ask) const;
  void note_counted(const Person& person, const Ask& ask);
  std::optional<Ask> pick_forged(Person& person);
  [[nodiscard]] std::string link_of(const Person& person, const Ask& ask) const;
  void take_made_order(const Ask& ask, const world::Answer& answer);
  void take_order_answer(Person& person, const Ask& ask, const world::Answer& answer);
  [[nodiscard]] Host& host_of(const Person& person) const { return *hosts_[person.node]; }
  void hang_up(Person& person, bool is_reset);
  void move_away(Person& person);
  [[nodiscard]] uint32_t draw_node();
  void act(Person& person);
  std::optional<Ask> choose(Person& person);
  std::optional<Ask> choose_closing(Person& person);
  Ask new_order(Person& person);
  std::optional<Ask> pick_payment(Person& person);
  std::optional<Ask> pick_wrong(Person& person);
  const Told* pick_of_other(const Person& person);
  const Told* pick_own(const Person& person, bool is_reserved);
  void send(Person& person, Ask ask);
  void write(Person& person, const Ask& ask);
  [[nodiscard]] int64_t patience_ns(const Person& person) const;
  [[nodiscard]] int64_t now_ns() const { return clock_.now().boot_ns; }
  [[nodiscard]] Moment moment() const { return clock_.now(); }

  const Plan& plan_;
  Hosts& hosts_;
  History& history_;
  Truth& truth_;
  Purchases purchases_;
  Allowances allowances_;
  world::FakeClock& clock_;
  Random random_;
  std::function<void(const std::string&)> note_;
  int64_t pause_ns_;  // between two things that somebody does, on average
  std::vector<Person> persons_;
  std::vector<bool> is_sold_out_;  // by item: a closer was told so, and it was true
  uint64_t answers_ = 0;
  bool is_closing_ = false, is_reading_ = false;
};

}  // namespace stampede::sim
