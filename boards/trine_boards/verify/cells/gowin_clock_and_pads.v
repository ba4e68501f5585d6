// Gowin cells around the core: the PLL, of which Yosys' model has no contents, and pads.
// +lock_ns=N: time from the start of the simulation until a PLL reports that it has locked.
`timescale 1ns / 1ps

module IBUF (input I, output O);
    assign O = I;
endmodule

module OBUF (input I, output O);
    assign O = I;
endmodule

module TBUF (input I, OEN, output O);
    assign O = OEN ? 1'bz : I;
endmodule

// Its own feedback and CLKOUT alone. The output runs from the second edge of the input on, locked or not. It never
// locks with its oscillator outside the 400 to 1,200 MHz of a GW1NR-9 (Gowin DS117) or the 500 to 1,250 MHz of a
// GW2AR-18 (Gowin DS226).
module rPLL #(
    parameter FCLKIN = "100.0",
    parameter DEVICE = "GW1N-1",
    parameter DYN_IDIV_SEL = "false", DYN_FBDIV_SEL = "false", DYN_ODIV_SEL = "false", DYN_DA_EN = "false",
    parameter IDIV_SEL = 0, FBDIV_SEL = 0, ODIV_SEL = 8,
    parameter CLKFB_SEL = "internal", CLKOUT_BYPASS = "false"
) (
    input CLKIN, CLKFB, RESET, RESET_P,
    input [5:0] FBDSEL, IDSEL, ODSEL,
    input [3:0] PSDA, DUTYDA, FDLY,
    output CLKOUT, CLKOUTP, CLKOUTD, CLKOUTD3,
    output reg LOCK
);
    real edge_ns, out_ns, lock_ns, least_ns, most_ns;
    reg made;
    initial begin
        if (DYN_IDIV_SEL != "false" || DYN_FBDIV_SEL != "false" || DYN_ODIV_SEL != "false" || DYN_DA_EN != "false"
            || CLKFB_SEL != "internal" || CLKOUT_BYPASS != "false")
            $fatal(1, "rPLL: only fixed dividers and its own feedback are modelled");
        edge_ns = -1;
        out_ns = 0;
        made = 0;
        LOCK = 0;
        least_ns = DEVICE == "GW2AR-18C" ? 0.8 : 1.0 / 1.2;
        most_ns = DEVICE == "GW2AR-18C" ? 2.0 : 2.5;
        if (!$value$plusargs("lock_ns=%f", lock_ns)) lock_ns = 1000;
    end
    always @(posedge CLKIN) begin
        if (edge_ns >= 0) out_ns = ($realtime - edge_ns) * (IDIV_SEL + 1) / (FBDIV_SEL + 1);
        edge_ns = $realtime;
        LOCK <= $realtime >= lock_ns && out_ns / ODIV_SEL >= least_ns && out_ns / ODIV_SEL <= most_ns
            && !RESET && !RESET_P;
    end
    always begin
        if (out_ns > 0 && !RESET && !RESET_P) #(out_ns / 2) made = !made;
        else @(posedge CLKIN);
    end
    assign CLKOUT = made;
    assign CLKOUTP = 0;
    assign CLKOUTD = 0;
    assign CLKOUTD3 = 0;
endmodule
