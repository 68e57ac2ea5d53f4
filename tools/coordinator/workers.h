// "coordinator workers add | list | revoke": the tokens of single workers.
#pragma once

namespace build::coordinator {

/// `argc` and `argv` begin with "workers". Gives the exit code.
int workers_command(int argc, char** argv);

}  // namespace build::coordinator
