# xbuild_part(NAME io [PUBLISHED description] SOURCES a.cpp ... HEADERS include/io/a.h ... [USES xbuild::base ...]
#             [PRIVATE ZLIB::ZLIB ...])
#
# One library: target xbuild_<name>, alias xbuild::<name>, include/ public, src/ private. USES are the parts and
# libraries that its public headers need; PRIVATE those that only its sources need. Its public headers are also
# compiled one by one (target all_verify_interface_header_sets).
#
# PUBLISHED is for libraries that others take alone: one sentence for the pkg-config file. With BUILD_SHARED_LIBS they are
# shared; all others are always static.
function(xbuild_part)
  cmake_parse_arguments(PART "" "NAME;PUBLISHED" "SOURCES;HEADERS;USES;PRIVATE" ${ARGN})
  set(target xbuild_${PART_NAME})
  if(PART_SOURCES)
    set(kind STATIC)
    if(PART_PUBLISHED AND BUILD_SHARED_LIBS)
      set(kind SHARED)
    endif()
    add_library(${target} ${kind} ${PART_SOURCES})
    set(scope PUBLIC)
    target_include_directories(${target} PRIVATE src)
    target_link_libraries(${target} PRIVATE ${PART_PRIVATE})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${PART_NAME} VERIFY_INTERFACE_HEADER_SETS ON)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
    set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  endif()
  add_library(xbuild::${PART_NAME} ALIAS ${target})
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS include FILES ${PART_HEADERS})
  target_link_libraries(${target} ${scope} ${PART_USES})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${PART_NAME})
  if(PART_PUBLISHED)
    xbuild_publish(${target} ${PART_NAME})
    xbuild_pkg_config(${target} ${PART_NAME} ${PART_PUBLISHED} USES ${PART_USES} PRIVATE ${PART_PRIVATE})
  endif()
  # What a published library is built with is in it; maintner stands on a part of ours.
  if(PART_PUBLISHED OR NOT XBUILD_ONLY OR XBUILD_ONLY STREQUAL "maintner")
    xbuild_install_part(${target} ${PART_NAME} "${PART_PUBLISHED}" USES ${PART_USES} PRIVATE ${PART_PRIVATE})
  endif()
endfunction()

# xbuild_tool(NAME buildlet SOURCES main.cpp USES xbuild::buildlet_server ...): a program in bin/, installed with the
# man page NAME.1 beside its sources.
function(xbuild_tool)
  cmake_parse_arguments(TOOL "" "NAME" "SOURCES;USES" ${ARGN})
  add_executable(${TOOL_NAME} ${TOOL_SOURCES})
  target_link_libraries(${TOOL_NAME} PRIVATE ${TOOL_USES})
  if(BUILD_SHARED_LIBS)
    file(RELATIVE_PATH libraries /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
    set_target_properties(${TOOL_NAME} PROPERTIES INSTALL_RPATH $ORIGIN/${libraries})
  endif()
  install(TARGETS ${TOOL_NAME} COMPONENT programs)
  install(FILES ${TOOL_NAME}.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT programs)
endfunction()

# xbuild_test(NAME test_io SOURCES a_test.cpp ... USES xbuild::io ... [LABELS threads] [ENVIRONMENT A=b])
#
# One doctest program, run by ctest under its name. A label is also a target (tests_threads) that builds the tests that have
# it; "threads" are those worth running under TSan.
function(xbuild_test)
  cmake_parse_arguments(TEST "" "NAME;TIMEOUT" "SOURCES;USES;LABELS;ENVIRONMENT" ${ARGN})
  add_executable(${TEST_NAME} ${TEST_SOURCES})
  target_link_libraries(${TEST_NAME} PRIVATE xbuild_test_main ${TEST_USES})
  # Not in unity batches: test files may use the same names for their helpers.
  set_target_properties(${TEST_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests UNITY_BUILD OFF)
  add_test(NAME ${TEST_NAME} COMMAND ${TEST_NAME})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  math(EXPR seconds "${TEST_TIMEOUT} - 5")
  set_tests_properties(${TEST_NAME} PROPERTIES TIMEOUT ${TEST_TIMEOUT} LABELS "unit;${TEST_LABELS}"
    ENVIRONMENT "${TEST_ENVIRONMENT};XBUILD_TEST_SECONDS=${seconds}" SKIP_RETURN_CODE 77)
  foreach(label unit ${TEST_LABELS})
    if(NOT TARGET tests_${label})
      add_custom_target(tests_${label})
    endif()
    add_dependencies(tests_${label} ${TEST_NAME})
  endforeach()
endfunction()

# xbuild_fuzz(NAME fuzz_http1 SOURCES http1_fuzz.cpp USES xbuild::io): a libFuzzer program in fuzz/ (XBUILD_FUZZ).
function(xbuild_fuzz)
  cmake_parse_arguments(FUZZ "" "NAME" "SOURCES;USES" ${ARGN})
  if(NOT XBUILD_FUZZ)
    return()
  endif()
  add_executable(${FUZZ_NAME} ${FUZZ_SOURCES})
  target_link_libraries(${FUZZ_NAME} PRIVATE ${FUZZ_USES})
  target_compile_options(${FUZZ_NAME} PRIVATE -fsanitize=fuzzer)
  target_link_options(${FUZZ_NAME} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${FUZZ_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  set_property(GLOBAL APPEND PROPERTY XBUILD_FUZZ_TARGETS ${FUZZ_NAME})
endfunction()
