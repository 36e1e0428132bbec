#include "sale.h"

#include <cstdlib>
#include <filesystem>
#include <map>

namespace stampede::soak {

using e2e::milliseconds;

namespace {

// <data>/log/g<N> below the one that the manifest names.
void remove_old_generations(const std::string& data) {
  constexpr std::string_view kName = "\ngeneration";
  const std::string manifest = "\n" + e2e::read_file(data + "/manifest");
  const size_t at = manifest.find(kName);
  if (at == manifest.npos) throw Broken("no generation in the manifest");
  const int current = std::atoi(manifest.c_str() + manifest.find_first_of("0123456789", at));
  for (int old = 1; old < current; ++old)
    std::filesystem::remove_all(data + "/log/g" + std::to_string(old));
}

}  // namespace

Sale::Sale(Report& report, Dice& dice, int64_t total, std::vector<e2e::Server*> nodes, int buyers)
    : report_(report), counter_(total), nodes_(std::move(nodes)) {
  for (int i = 0; i < buyers; ++i)
    buyers_.push_back(
        std::make_unique<Buyer>("b" + std::to_string(i), counter_, report, dice.seed()));
}

void Sale::open() {
  over_ = false;
  counter_.answers = 0;
  for (size_t i = 0; i < buyers_.size(); ++i)
    threads_.emplace_back([this, i, address = nodes_[i % nodes_.size()]->address()] {
      buyers_[i]->buy(address, over_);
    });
}

void Sale::rest() {
  over_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Sale::await_answers(size_t count, milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (counter_.answers < count && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::microseconds{200});
}

int64_t Sale::held_units() const {
  int64_t units = 0;
  for (const auto& buyer : buyers_) units += buyer->held_units();
  return units;
}

void Sale::check() {
  for (size_t i = 0; i < buyers_.size(); ++i)
    buyers_[i]->check(nodes_[i % nodes_.size()]->address());
  if (const int64_t held = held_units(); held > counter_.total())
    report_.add(Wrong::oversold, std::to_string(held) + " units of " +
                                     std::to_string(counter_.total()) + " are held");
  check_books();
}

void Sale::check_books() {
  int64_t held = 0;
  for (e2e::Server* const node : nodes_) {
    const e2e::Books books = node->books();
    const bool adds_up = books.ok && books.total == counter_.total() &&
                         books.total == books.free + books.leased + books.reserved + books.paid;
    // A node that shares its stock knows only what it holds itself.
    if (!books.ok || books.total != counter_.total() || (nodes_.size() == 1 && !adds_up))
      report_.add(Wrong::other, "the books do not add up: " +
                                    node->admin().get("/admin/audit").body.substr(0, 500));
    held += books.reserved + books.paid;
  }
  if (held != held_units())
    report_.add(held < held_units() ? Wrong::lost : Wrong::doubled,
                "the books hold " + std::to_string(held) + " units, the buyers " +
                    std::to_string(held_units()));
}

void Sale::sell_out() {
  for (size_t i = 0; i < nodes_.size(); ++i)
    if (!buyers_[i % buyers_.size()]->buy_the_rest(nodes_[i]->address()))
      report_.add(Wrong::unsold, std::to_string(held_units()) + " units of " +
                                     std::to_string(counter_.total()) +
                                     " are held, and no more are sold");
  if (held_units() > counter_.total())
    report_.add(Wrong::oversold, std::to_string(held_units()) + " units of " +
                                     std::to_string(counter_.total()) + " are held at the end");
}

void Sale::check_rows(const Query& database) {
  std::map<std::string, std::vector<std::string>> rows;
  for (std::vector<std::string>& row :
       database("SELECT order_id, user_id, qty, state, payment_id FROM orders"))
    if (const std::string id = row[0]; !rows.emplace(id, std::move(row)).second)
      report_.add(Wrong::doubled, "two rows of " + id);
  for (const auto& buyer : buyers_)
    for (const Order& order : buyer->orders()) {
      if (!order.exists()) continue;
      const std::vector<std::string> expected{
          order.id, order.user, std::to_string(order.quantity), to_text(order.state),
          order.state == State::paid ? "pay-" + order.id : "NULL"};
      const auto row = rows.find(order.id);
      if (row == rows.end() || row->second != expected)
        report_.add(Wrong::lost, std::string(row == rows.end() ? "no" : "another") +
                                     " row in the database: " + order.id + " of " + order.user);
      if (row != rows.end()) rows.erase(row);
    }
  for (const auto& [id, row] : rows)
    report_.add(Wrong::doubled, "a row that nobody was told of: " + id + " of " + row[1]);
}

void Sale::check_payments(const Query& database) {
  std::map<std::string, int> payments;
  for (const auto& row : database("SELECT order_id, payment_id, outcome FROM payments"))
    if (row[1] == "pay-" + row[0] && row[2] == "paid") ++payments[row[0]];
  for (const auto& buyer : buyers_)
    for (const Order& order : buyer->orders())
      if (order.state == State::paid && payments[order.id] != 1)
        report_.add(Wrong::lost, "the payment of " + order.id);
  if (!database("SELECT order_id FROM rejected").empty())
    report_.add(Wrong::other, "rows that the database would not take");
}

void Sale::close(const Query& database) {
  check();
  sell_out();
  check();
  for (e2e::Server* const node : nodes_)
    if (!node->wait_drained()) report_.add(Wrong::other, "the database is not told everything");
  check_rows(database);
  check_payments(database);
}

std::string catalog_of(int64_t total) {
  return e2e::catalog({{.stock = total}});
}

void audit(Report& report, e2e::Arguments arguments) {
  arguments.insert(arguments.begin(), "audit");
  const e2e::Finished finished = e2e::run_stampede(arguments);
  if (finished.exit_code != 0) report.add(Wrong::other, "audit: " + finished.out + finished.err);
}

void start(Report& report, e2e::Server& server) {
  if (const auto code = server.try_start()) {
    report.add(Wrong::other,
               "the start ended with " + std::to_string(*code) + ": " + server.said());
    throw Broken("no start");
  }
  remove_old_generations(server.data());
}

}  // namespace stampede::soak
