// Graph algorithms behind the symbolic analysis: fill-reducing order, elimination tree, column counts, supernodes.
#pragma once
#include <cstdint>
#include <vector>

#include "blas.hpp"

namespace interlace {

// Undirected graph without self-loops, both directions stored.
struct Graph {
    std::vector<index> ptr;
    std::vector<std::int32_t> adj;
    index n() const { return static_cast<index>(ptr.size()) - 1; }
};

struct Supernodes {
    std::vector<std::int32_t> order;        // order[k] = node eliminated k-th
    std::vector<index> first;               // supernodes + 1: first column of each
    std::vector<index> parent;              // supernode -> parent supernode or -1
    std::vector<index> rows;                // supernode -> number of nodes below the pivots
};

// Minimum-degree order, postordered elimination tree, supernodes merged where that costs little fill. `weight` is the number of
// scalars of each node.
Supernodes order_and_count(const Graph& graph, const std::vector<index>& weight);

// One supernode with all nodes in their given order.
Supernodes single_supernode(index n);

// For each supernode the nodes below its pivots, as positions in the elimination order, ascending.
std::vector<std::vector<std::int32_t>> row_structure(const Graph& graph, const Supernodes& s);

}  // namespace interlace
