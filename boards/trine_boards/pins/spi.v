// A controller of SPI, mode 0, most significant bit first; cs is low while the board is selected.
//
// Input: 0 n: let n bit times pass, then give ready; 1 m n and 256 m + n bytes: send them within one chip
// select, then give what came meanwhile. Anything else ends the simulation. Output, a line each: "0" or "1";
// the bytes in hexadecimal.
// +bit_ns=N: of a bit; +inverted=1: the wire of copi is inverted.
`timescale 1ns / 1ps
module pin_host (
    output reg cs,
    output reg clk,
    output copi,
    input cipo,
    input ready
);
    localparam [31:0] STDIN = 32'h8000_0000, STDOUT = 32'h8000_0001;
    reg out = 0;
    reg inverted = 0;
    assign copi = out ^ inverted;

    real bit_ns;
    integer command, count, data, index;
    reg [7:0] received;
    initial begin
        cs = 1;
        clk = 0;
        if (!$value$plusargs("bit_ns=%f", bit_ns)) $fatal(1, "+bit_ns is needed");
        if (!$value$plusargs("inverted=%d", inverted)) inverted = 0;
        #1;
        forever begin
            command = $fgetc(STDIN);
            count = $fgetc(STDIN);
            case (command)
                0: begin
                    #(count * bit_ns);
                    $fwrite(STDOUT, "%0d\n", ready);
                end
                1: begin
                    count = 256 * count + $fgetc(STDIN);
                    cs = 0;
                    #(bit_ns);
                    while (count > 0) begin
                        data = $fgetc(STDIN);
                        for (index = 7; index >= 0; index = index - 1) begin
                            out = data[index];
                            #(bit_ns / 2);
                            received = {received[6:0], cipo};
                            clk = 1;
                            #(bit_ns / 2);
                            clk = 0;
                        end
                        $fwrite(STDOUT, "%02x", received);
                        count = count - 1;
                    end
                    #(bit_ns / 2);
                    cs = 1;
                    #(bit_ns);
                    $fwrite(STDOUT, "\n");
                end
                default: $finish;
            endcase
            $fflush(STDOUT);
        end
    end
endmodule
