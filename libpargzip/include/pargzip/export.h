// What a shared library shows: everything else is hidden.
#pragma once

#define PARGZIP_API __attribute__((visibility("default")))
