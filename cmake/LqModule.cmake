# Areas of the library and their tests, globbed: a new file needs no CMake edit.
set_property(GLOBAL PROPERTY LQ_SOURCES "")

function(lq_add_module area)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/lib/${area}/*.cpp")
  list(FILTER sources EXCLUDE REGEX "/isa_[a-z0-9_]+\\.cpp$")
  set_property(GLOBAL APPEND PROPERTY LQ_SOURCES ${sources})
endfunction()

# loquor_objects: every area; libloquor (capi/) is made of them. loquor_core: the same as an archive, for the C++ tests.
function(lq_add_library)
  get_property(sources GLOBAL PROPERTY LQ_SOURCES)
  add_library(loquor_objects OBJECT ${sources})
  target_link_libraries(loquor_objects PRIVATE lq_flags Threads::Threads nlohmann_json::nlohmann_json)
  add_library(loquor_core STATIC $<TARGET_OBJECTS:loquor_objects> $<TARGET_OBJECTS:lq_isa_objects>)
  target_link_libraries(loquor_core PUBLIC lq_flags Threads::Threads ${LQ_RAG_LIBRARIES})
endfunction()

# One executable per area: tests/<area>/test_*.cpp (+ helpers *.cpp beside them), registered as test_<area>.
# Tests tagged [per_isa] run again for each row of isas.def with LQ_FORCE_ISA set; unsupported rows are reported as skipped.
function(lq_add_tests area)
  cmake_parse_arguments(ARG "PER_ISA" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${area}/*.cpp")
  if(NOT sources)
    return()
  endif()
  add_executable(test_${area} ${sources})
  target_link_libraries(test_${area} PRIVATE lq_catch_main loquor_core nlohmann_json::nlohmann_json ${ARG_LINK})
  target_include_directories(test_${area} PRIVATE "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}/lib")
  target_compile_definitions(test_${area} PRIVATE LQ_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_test(NAME ${area} COMMAND test_${area} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  if(ARG_PER_ISA)
    foreach(isa ${LQ_ISAS})
      add_test(NAME ${area}_${isa} COMMAND test_${area} "[per_isa]" WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
      set_tests_properties(${area}_${isa} PROPERTIES ENVIRONMENT "LQ_FORCE_ISA=${isa}" LABELS per_isa
        SKIP_REGULAR_EXPRESSION "this CPU does not support")
    endforeach()
  endif()
endfunction()
