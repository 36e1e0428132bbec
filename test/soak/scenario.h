// A kind of trouble: a sale, some rounds of trouble in it, and the end of the sale. One thread owns a scenario: processes die
// with the thread that started them.
#pragma once

#include <memory>

#include "dice.h"
#include "report.h"

namespace stampede::soak {

class Scenario {
 public:
  virtual ~Scenario() = default;
  // Trouble, and what the buyers know is held against the servers. Throws when the sale cannot go on.
  virtual void round() = 0;
  // The end: everything is sold, counted and compared.
  virtual void close() = 0;
};

std::unique_ptr<Scenario> make_kills(Report& report, Dice& dice);
std::unique_ptr<Scenario> make_cuts(Report& report, Dice& dice);
std::unique_ptr<Scenario> make_control(Report& report, Dice& dice);
std::unique_ptr<Scenario> make_disk(Report& report, Dice& dice);
std::unique_ptr<Scenario> make_redis(Report& report, Dice& dice);
std::unique_ptr<Scenario> make_database(Report& report, Dice& dice);
std::unique_ptr<Scenario> make_clocks(Report& report, Dice& dice);

}  // namespace stampede::soak
