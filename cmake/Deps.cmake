# Third-party packages, all from the distribution. Only nlohmann-json (build time, header-only) is needed by the library.
find_package(Threads REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
if(LQ_BUILD_TESTS)
  find_package(Catch2 2.13 REQUIRED)  # decided once: Debian's 2.13, <catch2/catch.hpp>
endif()
if(LQ_BUILD_EXAMPLES)
  find_package(CLI11 2.1 REQUIRED)
endif()
