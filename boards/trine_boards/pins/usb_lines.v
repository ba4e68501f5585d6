// The host's end of the two lines of USB at full speed: it drives levels, and tells for how long it saw which.
// A symbol is D+ in its bit 0, D- in bit 1. Without a pull-up the lines are low; with one, D+ is high while
// nobody drives them.
//
// Input: 0 m n: let 256 m + n bit times pass; 1 m n and 256 m + n symbols: drive each for a bit time; 2 m n:
// wait so many bit times for a packet, and to its end. Anything else ends the simulation. Output, a line each:
// 0: "1" where there is a pull-up, or "0"; 1: "k"; 2: "symbol:samples", eight
// in a bit time, for each run of equal ones in the packet, then the number of all samples.
// +bit_ns=N: of a bit; +inverted=1: the lines are exchanged.
`timescale 1ns / 1ps
module pin_host (
    inout d_p,
    inout d_n,
    input pull_up
);
    localparam [31:0] STDIN = 32'h8000_0000, STDOUT = 32'h8000_0001;
    localparam IDLE = 2'b01, SE0 = 2'b00, LONGEST = 16384;
    reg driving = 0;
    reg [1:0] level = IDLE;
    reg inverted = 0;
    wire held = driving || !pull_up;
    wire [1:0] to_device = driving ? (inverted ? {level[0], level[1]} : level) : SE0;
    assign d_p = held ? to_device[0] : 1'bz;
    assign d_n = held ? to_device[1] : 1'bz;
    pullup (d_p);
    pulldown (d_n);

    real bit_ns;
    integer command, count, waited, ended;
    integer run;
    reg [1:0] seen, line;
    task sample;
        begin
            #(bit_ns / 8);
            line = inverted ? {d_p, d_n} : {d_n, d_p};
        end
    endtask
    initial begin
        if (!$value$plusargs("bit_ns=%f", bit_ns)) $fatal(1, "+bit_ns is needed");
        if (!$value$plusargs("inverted=%d", inverted)) inverted = 0;
        #1;
        forever begin
            command = $fgetc(STDIN);
            count = 256 * $fgetc(STDIN);
            count = count + $fgetc(STDIN);
            case (command)
                0: begin
                    #(count * bit_ns);
                    $fwrite(STDOUT, "%0d\n", pull_up);
                end
                1: begin
                    driving = 1;
                    while (count > 0) begin
                        level = $fgetc(STDIN);
                        #(bit_ns);
                        count = count - 1;
                    end
                    driving = 0;
                    $fwrite(STDOUT, "k\n");
                end
                2: begin
                    waited = 0;
                    sample;
                    waited = 1;
                    while (line == IDLE && waited < 8 * count) begin
                        sample;
                        waited = waited + 1;
                    end
                    if (line != IDLE) begin
                        seen = line;
                        run = 0;
                        ended = 0;
                        while (!ended) begin
                            if (line != seen) begin
                                $fwrite(STDOUT, "%0d:%0d ", seen, run);
                                ended = seen == SE0 && run > 4 && line == IDLE;
                                seen = line;
                                run = 0;
                            end
                            if (waited > LONGEST) ended = 1;
                            if (!ended) begin
                                run = run + 1;
                                sample;
                                waited = waited + 1;
                            end
                        end
                    end
                    $fwrite(STDOUT, "%0d\n", waited);
                end
                default: $finish;
            endcase
            $fflush(STDOUT);
        end
    end
endmodule
