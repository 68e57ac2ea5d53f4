# How everything is compiled.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# Not CMake's -O3: here it costs a third more time to compile and buys nothing that can be measured.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

find_program(XBUILD_CCACHE ccache)
if(XBUILD_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${XBUILD_CCACHE})
endif()
find_program(XBUILD_MOLD mold)
if(XBUILD_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 sees dangling and uninitialised things in coroutine frames that are not there.
  add_compile_options(-Wno-maybe-uninitialized -Wno-missing-field-initializers -Wno-dangling-pointer)
  if(CMAKE_UNITY_BUILD)
    # It takes the sources of a batch for headers, and sees other allocators in coroutine frames than are there.
    add_compile_options(-Wno-subobject-linkage -Wno-mismatched-new-delete)
  endif()
else()
  # RapidJSON's comparisons of iterators are not written for C++20.
  add_compile_options(-Wno-missing-field-initializers -Wno-ambiguous-reversed-operator)
endif()
if(XBUILD_WERROR)
  add_compile_options(-Werror)
endif()

if(XBUILD_SANITIZE)
  add_compile_options(-fsanitize=${XBUILD_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${XBUILD_SANITIZE})
  if(XBUILD_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Asio's fences; it uses them only beside locks.
    add_compile_options(-Wno-tsan)
  endif()
  if(XBUILD_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize-recover=undefined)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      # pointer-overflow: RapidJSON 1.1 adds to a null pointer to see that its stack has no room yet.
      add_compile_options(-fno-sanitize=function,vptr,pointer-overflow)
    endif()
  endif()
endif()

if(XBUILD_FUZZ)
  # The libraries tell the fuzzer which paths an input takes.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

add_compile_definitions(BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION)
