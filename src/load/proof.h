// Gathers what verification needs when a run is over: waits until the database has everything,
// reads all its orders, asks the server for its audit. Blocking; shows how far it is.
#pragma once

#include <functional>
#include <string>

#include "load/operator_client.h"
#include "load/progress.h"
#include "load/report.h"

namespace stampede::load {

class Proof {
 public:
  // All must outlive this; `db` as in --db.
  Proof(const Plan& plan, const Run& run, const OperatorClient& client, std::string db,
        Clock& clock, Progress& progress);

  // `before`: the audit from before the run. An error when something could not be read, or the
  // database stopped catching up: then nothing is proven.
  Result<Report::Verified> gather(const ItemAudit& before,
                                  const std::function<bool()>& is_interrupted);

 private:
  Status wait_until_drained(const std::function<bool()>& is_interrupted);
  Status read_rows(Verification& verification);

  const Plan& plan_;
  const Run& run_;
  const OperatorClient& client_;
  std::string db_;
  Clock& clock_;
  Progress& progress_;
};

}  // namespace stampede::load
